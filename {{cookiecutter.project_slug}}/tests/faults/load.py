"""Orders that flow while a fault is made: each is sent until it is accepted, as a client would."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from random import Random
from typing import TypeVar

import aiohttp

from tests.demo import mix
from tests.demo.client import Client, Order, Refused, each
from tests.demo.mix import Plan
from tests.faults.waiting import Overdue, until

#: All orders are placed over this long, so that a fault meets some of them at each of their steps.
PLACING_SECONDS = 4.0
#: Of each SKU that is not to run out.
GOODS = 1000
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
        #: As the orders service showed them last.
        self.views: dict[str, Order] = {}
        self.last_accepted = 0.0
        self._placing: list[asyncio.Task[None]] = []
        self._begun = 0

    async def stock(self) -> None:
        for sku in mix.Shelf(self.run).plenty:
            await again(f"stock of {sku}", partial(self._client.receive_stock, sku, GOODS))

    def begin(self, part: float = 1.0) -> None:
        """Place orders up to this part of all, in the background; see `all_accepted`."""
        upto = max(1, round(part * len(self.plans)))
        plans, self._begun = self.plans[self._begun : upto], max(self._begun, upto)
        if plans:
            self._placing.append(asyncio.create_task(self._place(plans)))

    async def accepted(self, count: int) -> None:
        """Once so many orders are accepted. Raises `Overdue`."""

        async def enough() -> bool:
            return len(self.ids) >= count

        await until(f"{count} orders accepted", enough, ACCEPT_SECONDS)

    async def all_accepted(self) -> None:
        """Raises `Overdue` with what the last refusal said."""
        self.begin()
        await asyncio.gather(*self._placing)

    @property
    def accepted_plans(self) -> list[Plan]:
        return [plan for plan in self.plans if plan.key in self.ids]

    async def all_ended(self, seconds: float) -> None:
        """Returns after so many seconds at the latest; `ended` holds the ids of those that have."""

        async def asked() -> bool:
            waiting = [id for id in self.ids.values() if id not in self.ended]
            for order in await each(waiting, self._look):
                if order is not None:
                    self.views[order["order_id"]] = order
            return len(self.ended) == len(self.ids)

        try:
            await until("all orders ended", asked, seconds)
        except Overdue:
            return

    @property
    def ended(self) -> frozenset[str]:
        return frozenset(id for id, order in self.views.items() if order["ended_at"] is not None)

    @property
    def slowest_seconds(self) -> float:
        """From being placed to the end, of the orders that have ended."""
        return max((_seconds(self.views[id]) for id in self.ended), default=0.0)

    def cancel(self) -> None:
        for task in self._placing:
            task.cancel()

    async def _place(self, plans: Sequence[Plan]) -> None:
        orders = []
        for plan in plans:
            orders.append(asyncio.create_task(self._accept(plan)))
            await asyncio.sleep(PLACING_SECONDS / len(self.plans))
        await asyncio.gather(*orders)

    async def _accept(self, plan: Plan) -> None:
        self.ids[plan.key] = await again(f"order {plan.key}", lambda: self._client.place(plan))
        self.last_accepted = time.monotonic()

    async def _look(self, order_id: str) -> Order | None:
        try:
            return await self._client.get("orders", f"/orders/{order_id}")
        except (Refused, aiohttp.ClientError, TimeoutError):
            return None


def _seconds(order: Order) -> float:
    placed, ended = (datetime.fromisoformat(order[each]) for each in ("placed_at", "ended_at"))
    return (ended - placed).total_seconds()


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
