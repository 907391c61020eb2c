"""load.py ORDERS STYLE: place orders, wait until each has ended, print CPU and time as JSON.

Runs in the workspace's venv. Nobody looks an order up before the CPU is read: to do so would be a
part of what is measured. The broker says how many orders have ended.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp
import psutil

URL = "http://127.0.0.1:8001"
CONCURRENCY = 32
DEADLINE_SECONDS = 300
#: After the last order's end, until what it leaves behind is done: acknowledgements, jobs, records.
SETTLED_SECONDS = 1.0


async def main(count: int, style: str) -> None:
    run = f"S{time.time_ns():X}"
    async with aiohttp.ClientSession() as http, asyncio.timeout(DEADLINE_SECONDS):
        await http.post(
            "http://127.0.0.1:8002/stock/BENCH/receipts",
            json={"quantity": 10_000},
            headers={"idempotency-key": run},
        )
        slots = asyncio.Semaphore(CONCURRENCY)

        async def place(number: int) -> str:
            body = {
                "customer": f"{run}-{number}",
                "card": f"{run}-{number}",
                "country": "NL",
                "style": style,
                "lines": [{"sku": "BENCH", "quantity": 1, "unit_price_cents": 100}],
            }
            async with slots, http.post(f"{URL}/orders", json=body) as response:
                response.raise_for_status()
                return str((await response.json())["order_id"])

        goal = await _ended() + count
        before, began = _cpu(), time.monotonic()
        order_ids = await asyncio.gather(*(place(number) for number in range(count)))
        while await _ended() < goal:
            await asyncio.sleep(0.1)
        seconds = time.monotonic() - began
        await asyncio.sleep(SETTLED_SECONDS)
        after = _cpu()

        for order_id in order_ids:
            async with http.get(f"{URL}/orders/{order_id}") as response:
                order = await response.json()
            if (order["state"], order["style"]) != ("confirmed", style):
                raise SystemExit(f"not confirmed as {style}: {order}")
    cpu = {part: 1000 * (after[part] - before[part]) / count for part in after}
    print(json.dumps({"orders_per_second": count / seconds, "cpu": cpu}))


async def _ended() -> int:
    """All ends that were ever published: nothing trims the stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", 6379)
    writer.write(b"XLEN order-confirmed\r\n")
    answer = await reader.readline()
    writer.close()
    return int(answer.removeprefix(b":"))


def _cpu() -> Counter[str]:
    """Seconds of each part of the stack until now."""
    used: Counter[str] = Counter()
    for started in json.loads(Path(".run/processes.json").read_text()):
        leader = psutil.Process(started["pid"])
        for process in (leader, *leader.children(recursive=True)):
            times = process.cpu_times()
            used[_part(started["name"], process.cmdline())] += times.user + times.system
    return used


def _part(name: str, command: list[str]) -> str:
    app = next((each.removesuffix(".main:app") for each in command if each.endswith(":app")), None)
    if app is not None:
        return "orders" if app in ("orders", "workflow_engine:app") else "participants"
    if "--app-id" in command:
        of_orders = command[command.index("--app-id") + 1] == "orders"
        return "daprd of orders" if of_orders else "daprd of participants"
    return name


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
