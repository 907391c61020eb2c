"""load.py ORDERS SKUS: place orders, wait until each has ended, print a JSON line.

Runs in the workspace's venv.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import Any

import aiohttp

URL = "http://127.0.0.1:8001"
SERVICES = [f"http://127.0.0.1:{port}" for port in (8001, 8002, 8003, 8004)]
CONCURRENCY = 32
DEADLINE_SECONDS = 300


async def main(count: int, skus: int) -> None:
    run = f"B{time.time_ns():X}"
    async with aiohttp.ClientSession() as http, asyncio.timeout(DEADLINE_SECONDS):
        for number in range(skus):
            await http.post(
                f"http://127.0.0.1:8002/stock/BENCH{number}/receipts",
                json={"quantity": 10_000},
                headers={"idempotency-key": f"{run}-{number}"},
            )
        slots = asyncio.Semaphore(CONCURRENCY)

        async def place(number: int) -> str:
            body = {
                "customer": f"{run}-{number}",
                "card": f"{run}-{number}",
                "country": "NL",
                "style": "choreography",
                "lines": [{"sku": f"BENCH{number % skus}", "quantity": 1, "unit_price_cents": 100}],
            }
            async with slots, http.post(f"{URL}/orders", json=body) as response:
                response.raise_for_status()
                return str((await response.json())["order_id"])

        order_ids = await asyncio.gather(*(place(number) for number in range(count)))

        async def ended(order_id: str) -> dict[str, Any]:
            while True:
                async with http.get(f"{URL}/orders/{order_id}") as response:
                    order: dict[str, Any] = await response.json() if response.ok else {}
                if order.get("ended_at"):
                    return order
                await asyncio.sleep(0.5)

        # One after the other: to ask for all at once would be the larger part of the load.
        orders = [await ended(order_id) for order_id in order_ids]
        dead_letters = sum([await _dead_letters(http, service) for service in SERVICES])
    first = min(datetime.fromisoformat(order["placed_at"]) for order in orders)
    last = max(datetime.fromisoformat(order["ended_at"]) for order in orders)
    measured = {
        "orders_per_second": count / (last - first).total_seconds(),
        "failed": sum(order.get("state", "confirmed") != "confirmed" for order in orders),
        "dead_letters": dead_letters,
    }
    print(json.dumps(measured))


async def _dead_letters(http: aiohttp.ClientSession, service: str) -> int:
    """0 for a peer that keeps none."""
    async with http.get(f"{service}/dead-letters") as response:
        return int((await response.json())["count"]) if response.ok else 0


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
