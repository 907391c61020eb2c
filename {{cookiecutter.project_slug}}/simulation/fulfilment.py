"""What happens in a run: goods come in, orders are placed, clients ask until they are answered."""

from collections.abc import Sequence
from datetime import timedelta

from fastapi import Response

from chassis.simulation import Check, Scenario, Simulation, World
from chassis.simulation.process import Process
from chassis.simulation.world import Work
from invariants import Books, violations
from inventory.api import Receipt, post_receipt
from inventory.domain import Stock
from orders.api import Accepted, PlaceOrder, post_order
from orders.domain import Style
from orders.settings import settings
from simulation import plans
from simulation.books import read
from simulation.plans import Plan

SERVICES = ("orders.main", "inventory.main", "payments.main", "shipping.main")


def simulation(style: Style) -> Simulation:
    """I1 to I6, with orders that want the same things, and with poison among the messages."""

    def play(world: World) -> Check:
        patience = world.pick(plans.PATIENCE)
        run = Run(world, style, plans.pick(world, contended=True), patience)
        run.begin()
        poison = world.pick((*[None] * 8, *plans.POISONS))
        if poison is not None:
            world.publish_raw(plans.POISONED[style], poison)
        return lambda: violations(run.books())

    return of(style, play)


def of(style: Style, scenario: Scenario) -> Simulation:
    return Simulation(SERVICES, scenario, workflows=style is not Style.CHOREOGRAPHY)


class Run:
    """Orders of one style in one world."""

    def __init__(
        self, world: World, style: Style, orders: Sequence[Plan], patience: timedelta
    ) -> None:
        self._world = world
        self._style = style
        self._plans = orders
        self._patience = patience
        self._accepted: set[str] = set()
        wanted = {sku for plan in orders for sku in plan.details.quantities}
        self._goods = {sku: quantity for sku, quantity in plans.GOODS.items() if sku in wanted}
        self._goods_missing = len(self._goods)

    def begin(self) -> None:
        for sku, quantity in self._goods.items():
            self._world.request(
                "inventory", f"receive {sku}", _receive(sku, quantity), lambda _: self._received()
            )

    @property
    def has_ended(self) -> bool:
        return all(order.ended for order in self.books().orders.values())

    def books(self) -> Books:
        return read(self._world, self._style, self._plans, self._goods, self._accepted)

    def _received(self) -> None:
        # Orders wait for the goods: how an order ends must not depend on who is faster.
        self._goods_missing -= 1
        if not self._goods_missing:
            for plan in self._plans:
                self._place(plan)

    def _place(self, plan: Plan) -> None:
        def answered(answer: Accepted | Exception) -> None:
            if isinstance(answer, Accepted):
                self._accepted.add(plan.key)

        async def place(process: Process) -> Accepted:
            request = PlaceOrder(**plan.details.model_dump(), style=self._style)
            # All orders of a run have the same, and runs come one after the other.
            settings.step_patience = self._patience
            return await post_order(request, process.service, plan.key, Response())

        self._world.request("orders", f"place {plan.key}", place, answered)


def _receive(sku: str, quantity: int) -> Work[Stock]:
    async def receive(process: Process) -> Stock:
        return await post_receipt(
            sku, Receipt(quantity=quantity), process.service, f"receipt-of-{sku}"
        )

    return receive
