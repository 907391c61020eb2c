"""The ledger of a run, read over the services' HTTP APIs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from testkit.live.load import each
from tests.demo.client import Client, Order
from tests.demo.mix import Plan, Shelf
from tests.invariants import Ledger, Payment, Reservation, Stock
from tests.invariants import Order as Entry

#: From an order's placing to its end. Generous: the demo measures, and the fault suite has outages.
DEADLINE_SECONDS = 600


async def read(
    client: Client, run: str, plans: Sequence[Plan], orders: Mapping[str, Order]
) -> Ledger:
    """`orders` by the key of its plan, as the orders service shows them once they have ended."""
    known = {plan.key: orders[plan.key]["order_id"] for plan in plans if plan.key in orders}
    ids = list(known.values())
    reservations = await _about(client, "inventory", "/reservations", ids)
    payments = await _about(client, "payments", "/payments", ids)
    shipments = await _about(client, "shipping", "/shipments", ids)
    cards = await _about(client, "payments", "/cards", [plan.body["card"] for plan in plans])
    shelf = Shelf(run)
    stock = await _about(client, "inventory", "/stock", [*shelf.plenty, shelf.empty])
    return Ledger(
        deadline=DEADLINE_SECONDS,
        orders={
            known.get(plan.key, plan.key): _entry(plan, orders.get(plan.key)) for plan in plans
        },
        reservations={
            id: Reservation(each["status"], each["quantities"]) for id, each in reservations.items()
        },
        payments={
            id: Payment(each["status"], each["amount_cents"]) for id, each in payments.items()
        },
        shipments={id: int(each["status"] == "dispatched") for id, each in shipments.items()},
        stock={sku: Stock(each["received"], each["reserved"]) for sku, each in stock.items()},
        cards={card: each["charged_cents"] for card, each in cards.items()},
    )


def _entry(plan: Plan, order: Order | None) -> Entry:
    wanted: dict[str, int] = {}
    for line in plan.body["lines"]:
        wanted[line["sku"]] = wanted.get(line["sku"], 0) + line["quantity"]
    if order is None:
        return Entry(plan.key, plan.body["card"], plan.total_cents, wanted)
    return Entry(
        id=order["order_id"],
        card=plan.body["card"],
        total_cents=order["total_cents"],
        wanted=wanted,
        state=order["state"],
        seconds=_seconds(order),
        failed_step=order["failure"]["step"] if order["failure"] else None,
        undone=tuple(order["undone"]),
    )


def _seconds(order: Order) -> float | None:
    if order["ended_at"] is None:
        return None
    placed, ended = (datetime.fromisoformat(order[each]) for each in ("placed_at", "ended_at"))
    return (ended - placed).total_seconds()


async def _about(
    client: Client, service: str, path: str, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """What the service knows, by name; what it does not know is left out."""
    answers = await each(names, lambda name: client.get(service, f"{path}/{name}"))
    return {name: answer for name, answer in zip(names, answers, strict=True) if answer is not None}
