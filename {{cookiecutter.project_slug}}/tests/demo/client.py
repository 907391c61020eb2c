"""The services' HTTP APIs, as the demo uses them; every wait has a deadline."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import aiohttp

from tests.demo.mix import Plan
from workspace.daprfile import App
from workspace.errors import StackError

CONCURRENCY = 32
POLL_SECONDS = 0.25

T = TypeVar("T")
R = TypeVar("R")
Order = dict[str, Any]


class Timeout(StackError):
    """Some orders have not ended; says which."""


class Refused(StackError):
    """A service answered with an error; says which, and what it said."""


class Client:
    """One HTTP client for the four services."""

    def __init__(self, apps: Mapping[str, App]) -> None:
        self._urls = {name: app.url for name, app in apps.items()}
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=30), raise_for_status=False
        )

    async def close(self) -> None:
        await self._http.close()

    async def receive_stock(self, sku: str, quantity: int) -> None:
        await self._post(
            "inventory", f"/stock/{sku}/receipts", {"quantity": quantity}, f"stock-{sku}"
        )

    async def place(self, plan: Plan) -> str:
        """The id of the order, once it is accepted."""
        return str((await self._post("orders", "/orders", plan.body, plan.key))["order_id"])

    async def get(self, service: str, path: str) -> dict[str, Any] | None:
        """The JSON under the path, or None for a 404."""
        async with self._http.get(f"{self._urls[service]}{path}") as response:
            return None if response.status == 404 else await _json(response)

    async def _post(
        self, service: str, path: str, body: dict[str, Any], key: str
    ) -> dict[str, Any]:
        headers = {"idempotency-key": key}
        url = f"{self._urls[service]}{path}"
        async with self._http.post(url, json=body, headers=headers) as response:
            return await _json(response)

    async def wait_until_ended(
        self, order_ids: Sequence[str], deadline: float, ended: Callable[[int], None]
    ) -> list[Order]:
        """The orders, once each has ended. Raises `Timeout` after `deadline` seconds."""
        orders: dict[str, Order] = {}
        try:
            async with asyncio.timeout(deadline):
                while len(orders) < len(order_ids):
                    # A few at a time: to ask for all of them would be the larger part of the load.
                    waiting = [order_id for order_id in order_ids if order_id not in orders]
                    asked = waiting[:CONCURRENCY]
                    for order in await each(asked, self._order):
                        if order is not None and order["ended_at"] is not None:
                            orders[order["order_id"]] = order
                    ended(len(orders))
                    if not orders.keys() >= set(asked):
                        await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            missing = [order_id for order_id in order_ids if order_id not in orders]
            raise Timeout(
                f"{len(missing)} of {len(order_ids)} orders have not ended after {deadline:.0f} s, "
                f"the first of them {missing[0]}: see its steps at /orders/{missing[0]}"
            ) from None
        return [orders[order_id] for order_id in order_ids]

    async def _order(self, order_id: str) -> Order | None:
        return await self.get("orders", f"/orders/{order_id}")


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    if not response.ok:
        raise Refused(
            f"{response.method} {response.url}: {response.status} {await response.text()}"
        )
    content: dict[str, Any] = await response.json()
    return content


async def each(items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """The results in the order of the items, with a bounded number under way."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one(item: T) -> R:
        async with slots:
            return await work(item)

    return await asyncio.gather(*(one(item) for item in items))
