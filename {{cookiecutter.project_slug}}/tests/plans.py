"""How orders are begun on the running system, and what must hold of them besides S1 to S12."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import aiohttp

from chassis.saga import Progress, Recorded, State, Style
from orders.saga import FULFILMENT
from orders.settings import settings
from testkit.live import Away, Declared, Door, Plan
from testkit.live.load import each
from tests import invariants
from tests.demo import checks, ledger, mix
from tests.demo.client import Client, Order, Refused
from workspace.daprfile import App

ORDERS = Declared(FULFILMENT, "orders", tuple(Style), settings.step_timeout)
STATES = {"placed": State.RUNNING, "confirmed": State.COMPLETED, "cancelled": State.CANCELLED}
#: Units of each SKU that is not to run out: more than so many orders of three units ask for.
GOODS, UNITS = 1_000, 6
FAILURES = (Refused, aiohttp.ClientError, TimeoutError)


class Orders(Door):
    """Through the HTTP APIs, as a client places them; every tenth fails for each of the reasons."""

    def __init__(self, declared: Declared, apps: Mapping[str, App]) -> None:
        super().__init__(declared, apps)
        self.client = Client(apps)
        #: By run.
        self._goods: dict[str, int] = {}

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def prepare(self, run: str, count: int) -> None:
        self._goods[run] = max(GOODS, UNITS * count)
        try:
            for sku in mix.Shelf(run).plenty:
                await self.client.receive_stock(sku, self._goods[run])
        except FAILURES as error:
            raise Away(f"no stock for {run}: {error!r}") from error

    def plans(self, run: str, style: Style, count: int) -> Sequence[mix.Plan]:
        return mix.plan(run, style, count)

    async def begin(self, plan: Plan) -> str:
        assert isinstance(plan, mix.Plan)
        try:
            return await self.client.place(plan)
        except FAILURES as error:
            raise Away(f"{plan.key} was not placed: {error!r}") from error

    async def look(self, id: str) -> Progress | None:
        try:
            order = await self.client.get("orders", f"/orders/{id}")
        except FAILURES:
            return None
        return None if order is None else _progress(order)

    async def violations(self, run: str, plans: Mapping[str, Plan]) -> Sequence[str]:
        placed = {id: plan for id, plan in plans.items() if isinstance(plan, mix.Plan)}
        try:
            views = await each(list(placed), lambda id: self.client.get("orders", f"/orders/{id}"))
            found = zip(placed.values(), views, strict=True)
            by_plan = {plan.key: view for plan, view in found if view is not None}
            known = await ledger.read(self.client, run, list(placed.values()), by_plan)
        except FAILURES as error:
            raise Away(f"the ledger of {run}: {error!r}") from error
        shelf = mix.Shelf(run)
        goods = {**dict.fromkeys(shelf.plenty, self._goods[run]), shelf.empty: 0}
        # I7: how an order ends follows from what was ordered, not from its style or from a fault.
        ended = [
            line
            for plan in placed.values()
            if (view := by_plan.get(plan.key)) and view["ended_at"] is not None
            for line in checks.ends_as_expected(plan, view)
        ]
        return [*ended, *invariants.violations(replace(known, goods=goods))]


def _progress(order: Order) -> Progress:
    failure = order["failure"] or {}
    return Progress(
        id=order["order_id"],
        style=Style(order["style"]),
        started_at=datetime.fromisoformat(order["placed_at"]),
        steps=tuple(
            Recorded(each["event"], datetime.fromisoformat(each["at"]), each["reason"])
            for each in order["steps"]
        ),
        state=STATES[order["state"]],
        ended_at=order["ended_at"] and datetime.fromisoformat(order["ended_at"]),
        failed_step=failure.get("step"),
        reason=failure.get("reason"),
    )


DOORS = {FULFILMENT.name: Orders}
