"""What happens in a run: goods come in, orders are placed, clients ask until they are answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fastapi import Response

from chassis import ANYONE, derived_id, topic_of
from chassis.saga import Style
from chassis.saga.subjects import instance_id
from contracts.orders import OrderPlaced, ReserveStock
from inventory import main as inventory
from inventory.api import Receipt, post_receipt
from inventory.domain import Stock
from orders import main as orders
from orders.api import Accepted, PlaceOrder, post_order
from orders.saga import FULFILMENT
from orders.settings import settings
from payments import main as payments
from shipping import main as shipping
from testkit.simulation import Changed, Check, Scenario, Simulation, World, unchanged
from testkit.simulation.process import Process
from testkit.simulation.workspace import Composition
from testkit.simulation.world import Work
from tests.examples import order_of
from tests.invariants import Ledger, violations
from tests.simulation import plans, second_engine
from tests.simulation.ledger import read
from tests.simulation.plans import Plan

PARTICIPANTS = (inventory.compose, payments.compose, shipping.compose)


@dataclass(frozen=True)
class Runner:
    """A style, and what composes the service that initiates the orders."""

    style: Style
    orders: Composition = orders.compose

    def __str__(self) -> str:
        return f"{self.style} on the engine" if self is HYBRID_WORKFLOW else self.style

    @property
    def hosts_workflows(self) -> bool:
        return self in WORKFLOWS

    @property
    def services(self) -> tuple[Composition, ...]:
        return (self.orders, *PARTICIPANTS)


CHOREOGRAPHY, ORCHESTRATION, HYBRID = map(Runner, Style)
HYBRID_WORKFLOW = Runner(Style.HYBRID, second_engine.compose)
RUNNERS = (CHOREOGRAPHY, ORCHESTRATION, HYBRID, HYBRID_WORKFLOW)
WORKFLOWS = (ORCHESTRATION, HYBRID_WORKFLOW)


def simulation(runner: Runner, changed: Changed = unchanged) -> Simulation:
    """I1 to I6, with orders that want the same things, and with poison among the messages.

    Some services are being upgraded meanwhile, and somebody else sends messages under our ids.
    """

    def play(world: World) -> Check:
        timeout = world.pick(plans.TIMEOUTS)
        run = Run(world, runner.style, plans.pick(world, contended=True), timeout)
        world.is_balanced = world.pick((False, True))
        world.is_rolling_out = world.pick((False, False, True))
        held = world.pick((*[None] * 6, *plans.HELD))
        if held is not None:
            world.hold_back(*held)
        run.begin()
        poison = world.pick((*[None] * 8, *plans.POISONS))
        if poison is not None:
            world.publish_raw(plans.POISONED[runner.style], poison)
        if world.pick((False, False, False, True)):
            run.begin_namesake()

        def check() -> list[str]:
            ledger = run.ledger()
            return [*violations(ledger), *only_poison_is_dead(ledger)]

        return check

    return of(runner, play, changed)


def only_poison_is_dead(ledger: Ledger) -> list[str]:
    """Nothing else is given up: no fault lasts so long."""
    return [
        f"dead letter: {message.topic} of order {message.order_id} at {message.service}"
        for message in sorted(ledger.dead_letters, key=lambda message: (message.topic, message.id))
        if message.order_id
    ]


def of(runner: Runner, scenario: Scenario, changed: Changed = unchanged) -> Simulation:
    workflows = runner.hosts_workflows
    return Simulation(runner.services, scenario, workflows=workflows, changed=changed)


class Run:
    """Orders of one style in one world."""

    def __init__(
        self, world: World, style: Style, orders: Sequence[Plan], timeout: timedelta
    ) -> None:
        self._world = world
        self._style = style
        self._plans = orders
        self._timeout = timeout
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
        return all(order.ended for order in self.ledger().orders.values())

    def begin_namesake(self) -> None:
        """Somebody else wants something in vain, and sends it under the id of our first message."""
        order_id, ours = UUID(derived_id("somebody else")), str(self._plans[0].order_id)
        order = order_of({plans.NONE: 1})
        if self._style is Style.CHOREOGRAPHY:
            placed = OrderPlaced(order_id=order_id, order=order)
            id = derived_id(FULFILMENT.name, ours)
            self._world.publish(placed, id=id, source="somebody-else")
            return
        command = ReserveStock(order_id=order_id, order=order)
        # The process manager's, and a workflow's.
        for of in ((FULFILMENT.name, ours), (instance_id(FULFILMENT, ours),)):
            id = derived_id(*of, topic_of(ReserveStock))
            self._world.publish(command, id=id, source="somebody-else")

    def ledger(self) -> Ledger:
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
            settings.step_timeout = self._timeout
            return await post_order(
                request, process.service, ANYONE, plan.key, plan.order_id, Response()
            )

        self._world.request("orders", f"place {plan.key}", place, answered)


def _receive(sku: str, quantity: int) -> Work[Stock]:
    async def receive(process: Process) -> Stock:
        return await post_receipt(
            sku, Receipt(quantity=quantity), process.service, f"receipt-of-{sku}"
        )

    return receive
