"""Place orders and wait until each has ended; prints a JSON line. Runs in the workspace's venv."""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import Any

import aiohttp

URL = "http://127.0.0.1:8001"
CONCURRENCY = 32
DEADLINE_SECONDS = 300


async def main(count: int) -> None:
    run = f"B{time.time_ns():X}"
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
                "style": "choreography",
                "lines": [{"sku": "BENCH", "quantity": 1, "unit_price_cents": 100}],
            }
            async with slots, http.post(f"{URL}/orders", json=body) as response:
                response.raise_for_status()
                return str((await response.json())["order_id"])

        order_ids = await asyncio.gather(*(place(number) for number in range(count)))

        async def ended(order_id: str) -> dict[str, Any]:
            while True:
                async with slots, http.get(f"{URL}/orders/{order_id}") as response:
                    order: dict[str, Any] = await response.json() if response.ok else {}
                if order.get("ended_at"):
                    return order
                await asyncio.sleep(0.5)

        orders = await asyncio.gather(*(ended(order_id) for order_id in order_ids))
    first = min(datetime.fromisoformat(order["placed_at"]) for order in orders)
    last = max(datetime.fromisoformat(order["ended_at"]) for order in orders)
    print(json.dumps({"orders_per_second": count / (last - first).total_seconds()}))


asyncio.run(main(int(sys.argv[1])))
