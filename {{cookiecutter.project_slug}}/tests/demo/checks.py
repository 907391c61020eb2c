"""What must hold after a run: each order ends as its plan says, and the invariants hold."""

from collections.abc import Sequence

from tests import invariants
from tests.demo import ledger
from tests.demo.client import Client, Order
from tests.demo.mix import Kind, Plan

#: How an order of each kind must end: its state, the step that failed, what was undone.
EXPECTED: dict[Kind, tuple[str, str | None, list[str]]] = {
    Kind.GOOD: ("confirmed", None, []),
    Kind.NO_STOCK: ("cancelled", "ReserveStock", []),
    Kind.NO_CREDIT: ("cancelled", "CapturePayment", ["StockReleased"]),
    Kind.NO_CARRIER: ("cancelled", "DispatchShipment", ["PaymentRefunded", "StockReleased"]),
}


async def violations(
    client: Client, run: str, plans: Sequence[Plan], orders: Sequence[Order]
) -> list[str]:
    """One line for each thing that does not add up; none if all is well."""
    by_plan = {plan.key: order for plan, order in zip(plans, orders, strict=True)}
    found = [line for plan in plans for line in ends_as_expected(plan, by_plan[plan.key])]
    return found + invariants.violations(await ledger.read(client, run, plans, by_plan))


def ends_as_expected(plan: Plan, order: Order) -> list[str]:
    """Whether the order has ended as an order of its kind must."""
    failed = order["failure"]["step"] if order["failure"] else None
    ended = (order["state"], failed, list(order["undone"]))
    if ended == EXPECTED[plan.kind]:
        return []
    return [f"{plan.key} ({plan.kind}): ended as {ended}, not as {EXPECTED[plan.kind]}"]
