"""What must hold after a run: stock, money and shipments add up, order by order and in all."""

from collections import Counter
from collections.abc import Sequence

from demo.client import Client, Order, each
from demo.mix import Kind, Plan, Shelf

#: How an order of each kind must end: its state, the step that failed, what was undone.
EXPECTED: dict[Kind, tuple[str, str | None, list[str]]] = {
    Kind.GOOD: ("confirmed", None, []),
    Kind.NO_STOCK: ("cancelled", "StockRejected", []),
    Kind.NO_CREDIT: ("cancelled", "PaymentDeclined", ["StockReleased"]),
    Kind.NO_CARRIER: ("cancelled", "ShipmentFailed", ["PaymentRefunded", "StockReleased"]),
}


async def violations(
    client: Client, run: str, plans: Sequence[Plan], orders: Sequence[Order]
) -> list[str]:
    """One line for each thing that does not add up; none if all is well."""
    pairs = list(zip(plans, orders, strict=True))
    found = [line for plan, order in pairs for line in _ends_as_expected(plan, order)]
    for lines in await each(pairs, lambda pair: _participants_agree(client, *pair)):
        found += lines
    return found + await _stock_is_conserved(client, run, pairs)


def _ends_as_expected(plan: Plan, order: Order) -> list[str]:
    failed = order["failure"]["step"] if order["failure"] else None
    ended = (order["state"], failed, list(order["undone"]))
    if ended == EXPECTED[plan.kind]:
        return []
    return [f"{plan.key} ({plan.kind}): ended as {ended}, not as {EXPECTED[plan.kind]}"]


async def _participants_agree(client: Client, plan: Plan, order: Order) -> list[str]:
    order_id, confirmed = order["order_id"], order["state"] == "confirmed"
    reservation = await client.get("inventory", f"/reservations/{order_id}")
    payment = await client.get("payments", f"/payments/{order_id}")
    shipment = await client.get("shipping", f"/shipments/{order_id}")
    card = await client.get("payments", f"/cards/{plan.body['card']}")
    facts = {
        "stock is held": bool(reservation and reservation["status"] == "reserved"),
        "the payment is kept": bool(payment and payment["status"] == "captured"),
        "the card is charged the total": bool(card and card["charged_cents"] == plan.total_cents),
        "it is shipped": bool(shipment and shipment["status"] == "dispatched"),
    }
    wrong = [
        f"{plan.key} is {order['state']}, but {fact}: {holds}"
        for fact, holds in facts.items()
        if holds is not confirmed
    ]
    if not confirmed and card and card["charged_cents"]:
        wrong.append(f"{plan.key} is cancelled, but {card['charged_cents']} cents are charged")
    return wrong


async def _stock_is_conserved(
    client: Client, run: str, pairs: Sequence[tuple[Plan, Order]]
) -> list[str]:
    expected: Counter[str] = Counter()
    for plan, order in pairs:
        if order["state"] == "confirmed":
            for line in plan.body["lines"]:
                expected[line["sku"]] += line["quantity"]
    shelf = Shelf(run)
    wrong = []
    for sku in (*shelf.plenty, shelf.empty):
        stock = await client.get("inventory", f"/stock/{sku}") or {}
        if stock["reserved"] != expected[sku] or stock["reserved"] > stock["received"]:
            wrong.append(f"{sku}: {stock} but confirmed orders hold {expected[sku]}")
    return wrong
