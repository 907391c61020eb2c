"""load.py ORDERS STYLE: place orders, wait until each has ended, print CPU and time as JSON.

Runs in the workspace's venv. Nobody looks an order up before the CPU is read: to do so would be a
part of what is measured. The broker says how many orders have ended.
"""

import asyncio
import json
import sys
import time

import aiohttp
from cpu import per_order, used

URL = "http://127.0.0.1:8001"
CONCURRENCY = 32
DEADLINE_SECONDS = 300
#: After the last order's end, until what it leaves behind is done: acknowledgements, records.
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
        before, began = used(), time.monotonic()
        order_ids = await asyncio.gather(*(place(number) for number in range(count)))
        while await _ended() < goal:
            await asyncio.sleep(0.1)
        seconds = time.monotonic() - began
        await asyncio.sleep(SETTLED_SECONDS)
        after = used()

        for order_id in order_ids:
            async with http.get(f"{URL}/orders/{order_id}") as response:
                order = await response.json()
            if (order["state"], order["style"]) != ("confirmed", style):
                raise SystemExit(f"not confirmed as {style}: {order}")
    print(
        json.dumps({"orders_per_second": count / seconds, "cpu": per_order(before, after, count)})
    )


async def _ended() -> int:
    """All ends of a week: nobody subscribes to them, so nothing is trimmed before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", 6379)
    writer.write(b"XLEN order-confirmed\r\n")
    answer = await reader.readline()
    writer.close()
    return int(answer.removeprefix(b":"))


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
