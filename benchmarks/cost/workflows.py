"""workflows.py COUNT NAME: run the workflow of `multi_app`, print CPU and time as JSON."""

import asyncio
import json
import sys
import time

import aiohttp
from cpu import per_order, used

CONCURRENCY = 32


async def main(count: int, name: str) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(300):
        slots = asyncio.Semaphore(CONCURRENCY)

        async def run(number: int) -> None:
            body = {"order_id": f"{name}-{number}", "lines": [{"sku": "TEA", "quantity": 1}]}
            url = f"http://127.0.0.1:8001/workflows/{name}"
            async with slots, http.post(url, json=body) as response:
                if not response.ok:
                    raise SystemExit(f"{url}: {response.status} {await response.text()}")

        before, began = used(), time.monotonic()
        await asyncio.gather(*(run(number) for number in range(count)))
        seconds, after = time.monotonic() - began, used()
    print(
        json.dumps({"orders_per_second": count / seconds, "cpu": per_order(before, after, count)})
    )


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
