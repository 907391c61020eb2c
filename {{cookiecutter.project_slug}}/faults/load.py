"""Orders that flow while a fault is made: each is sent until it is accepted, as a client would."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TypeVar

import aiohttp

from demo import mix
from demo.client import Client, Order, Refused, each
from demo.mix import Plan
from faults.waiting import Overdue, until

#: Between two orders, so that a fault meets some of them at each of their steps.
PAUSE_SECONDS = 0.15
ACCEPT_SECONDS = 150
AGAIN_SECONDS = 0.25

T = TypeVar("T")


class Load:
    """The orders of one fault in one style. Keys make it safe to send each again."""

    def __init__(self, client: Client, run: str, style: str, count: int, random: Random) -> None:
        self._client = client
        self.run = run
        self.plans = mix.plan(run, style, count)
        random.shuffle(self.plans)
        self.ids: dict[str, str] = {}
        self.ended: dict[str, Order] = {}
        self.last_accepted = 0.0
        self._task: asyncio.Task[None] | None = None

    async def stock(self) -> None:
        for sku in mix.Shelf(self.run).plenty:
            await again(f"stock of {sku}", partial(self._client.receive_stock, sku, 1000))

    def begin(self) -> None:
        """In the background; see `accepted` and `all_accepted`."""
        if self._task is None:
            self._task = asyncio.create_task(self._place())

    async def accepted(self, count: int) -> None:
        """Once so many orders are accepted. Raises `Overdue`."""

        async def enough() -> bool:
            return len(self.ids) >= count

        await until(f"{count} orders accepted", enough, ACCEPT_SECONDS)

    async def all_accepted(self) -> None:
        """Raises `Overdue` with what the last refusal said."""
        self.begin()
        assert self._task is not None
        await self._task

    async def all_ended(self, seconds: float) -> None:
        """Returns after so many seconds at the latest; `ended` holds the orders that have."""

        async def asked() -> bool:
            waiting = [id for id in self.ids.values() if id not in self.ended]
            for order in await each(waiting, self._look):
                if order is not None and order["ended_at"] is not None:
                    self.ended[order["order_id"]] = order
            return len(self.ended) == len(self.ids)

        try:
            await until("all orders ended", asked, seconds)
        except Overdue:
            return

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _place(self) -> None:
        async with asyncio.TaskGroup() as orders:
            for plan in self.plans:
                orders.create_task(self._accept(plan))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _accept(self, plan: Plan) -> None:
        self.ids[plan.key] = await again(f"order {plan.key}", lambda: self._client.place(plan))
        self.last_accepted = time.monotonic()

    async def _look(self, order_id: str) -> Order | None:
        try:
            return await self._client.get("orders", f"/orders/{order_id}")
        except (Refused, aiohttp.ClientError, TimeoutError):
            return None


async def again(what: str, call: Callable[[], Awaitable[T]], seconds: float = ACCEPT_SECONDS) -> T:
    """Until it succeeds. Raises `Overdue` with the last refusal."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except (Refused, aiohttp.ClientError, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise Overdue(f"{what}: refused for {seconds:.0f} s: {error!r}") from error
        await asyncio.sleep(AGAIN_SECONDS)
