"""The invariants I1 to I7: each is a pure function that returns one line for each violation."""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import combinations

from tests.invariants.ledger import Ledger, Order


def violations(ledger: Ledger) -> list[str]:
    """Whatever does not hold of one run, I1 to I6."""
    return [
        f"{name}: {line}" for name, invariant in INVARIANTS.items() for line in invariant(ledger)
    ]


def stock_is_conserved(ledger: Ledger) -> list[str]:
    """I1. Never negative; what is reserved is what orders hold; only confirmed orders hold any."""
    wrong = []
    held: Counter[str] = Counter()
    for reservation in ledger.reservations.values():
        held.update(reservation.held)
    for sku, stock in sorted(ledger.stock.items()):
        if not 0 <= stock.reserved <= stock.received:
            wrong.append(f"{sku}: {stock.reserved} reserved of {stock.received} received")
        if stock.reserved != held[sku]:
            wrong.append(f"{sku}: {stock.reserved} reserved, but orders hold {held[sku]}")
        came_in = None if ledger.goods is None else ledger.goods.get(sku, 0)
        if came_in is not None and stock.received != came_in:
            wrong.append(f"{sku}: {stock.received} received, but {came_in} came in")
    for order in _ended(ledger):
        own = ledger.reservations.get(order.id)
        holds = dict(own.held) if own else {}
        due = dict(order.wanted) if order.confirmed else {}
        if holds != due:
            wrong.append(f"order {order.id} is {order.state} and holds {holds}, not {due}")
    return wrong


def every_accepted_order_ends(ledger: Ledger) -> list[str]:
    """I2. At exactly one end, within its deadline."""
    wrong = []
    for order in ledger.orders.values():
        if not order.accepted:
            continue
        if not order.ended:
            wrong.append(f"order {order.id} was accepted, and is {order.state or 'not known'}")
        elif order.seconds is not None and order.seconds > ledger.deadline:
            wrong.append(
                f"order {order.id} took {order.seconds:.0f} s to its end, "
                f"its deadline was {ledger.deadline:.0f} s"
            )
    return wrong


def the_charge_is_the_total_of_confirmed_orders(ledger: Ledger) -> list[str]:
    """I3. The net charge equals the total if and only if the order is confirmed, else it is 0."""
    wrong = []
    due: Counter[str] = Counter()
    for order in _ended(ledger):
        payment = ledger.payments.get(order.id)
        net = payment.net_cents if payment else 0
        expected = order.total_cents if order.confirmed else 0
        due[order.card] += expected
        if net != expected:
            wrong.append(f"order {order.id} is {order.state}, and its payment is {net} cents net")
    in_flight = {order.card for order in ledger.orders.values() if not order.ended}
    for card, charged in sorted(ledger.cards.items()):
        if card not in in_flight and charged != due[card]:
            wrong.append(
                f"card {card} is charged {charged} cents, its orders come to {due[card]} cents"
            )
    return wrong


def one_shipment_for_a_paid_order(ledger: Ledger) -> list[str]:
    """I4. At most one, only if it is paid, and one for each order that is confirmed."""
    wrong = []
    for order_id, times in sorted(ledger.shipments.items()):
        payment = ledger.payments.get(order_id)
        if times > 1:
            wrong.append(f"order {order_id} was shipped {times} times")
        if times and not (payment and payment.net_cents):
            paid = payment.status if payment else "unknown"
            wrong.append(f"order {order_id} was shipped, and its payment is {paid}")
    wrong += [
        f"order {order.id} is confirmed, and was not shipped"
        for order in _ended(ledger)
        if order.confirmed and not ledger.shipments.get(order.id)
    ]
    return wrong


def an_order_ends_with_one_event(ledger: Ledger) -> list[str]:
    """I5. One OrderConfirmed or one OrderCancelled, and the one that its record tells of."""
    wrong = []
    for order in ledger.orders.values():
        if order.ends is None:
            continue
        due = {"confirmed": ("OrderConfirmed",), "cancelled": ("OrderCancelled",)}
        if order.ends != due.get(order.state or "", ()):
            published = " and ".join(order.ends) or "no end"
            wrong.append(
                f"order {order.id} is {order.state or 'not known'}, and {published} was published"
            )
    return wrong


def every_message_is_settled(ledger: Ledger) -> list[str]:
    """I6. Processed or dead-lettered by each of its listeners, and no order is left half done."""
    wrong = [
        f"{message.topic} {message.id} of order {message.order_id}: {message.service} has neither "
        "processed nor dead-lettered it"
        for message in sorted(
            ledger.published - ledger.processed - ledger.dead_letters,
            key=lambda message: (message.topic, message.id, message.service),
        )
    ]
    begun = {message.order_id for message in ledger.processed}
    wrong += [
        f"order {order.id} has begun, and is in flight for ever: {order.state or 'not known'}"
        for order in ledger.orders.values()
        if order.id in begun and not order.ended
    ]
    return wrong


def all_styles_agree(by_style: Mapping[str, Ledger]) -> list[str]:
    """I7. The same orders in the ledger of each style end the same way."""
    wrong = []
    for (style, ledger), (other_style, others) in combinations(by_style.items(), 2):
        for order_id in sorted(ledger.orders.keys() | others.orders.keys()):
            one, other = ledger.orders.get(order_id), others.orders.get(order_id)
            if _way(one) != _way(other):
                wrong.append(
                    f"I7: order {order_id} ended as {_way(one)} in {style}, "
                    f"as {_way(other)} in {other_style}"
                )
    return wrong


def _way(order: Order | None) -> str:
    if order is None or not order.ended:
        return "not at all"
    after = f" after {order.failed_step}" if order.failed_step else ""
    undone = f", undoing {' then '.join(order.undone)}" if order.undone else ""
    return f"{order.state}{after}{undone}"


def _ended(ledger: Ledger) -> list[Order]:
    return [order for order in ledger.orders.values() if order.ended]


INVARIANTS: dict[str, Callable[[Ledger], list[str]]] = {
    "I1": stock_is_conserved,
    "I2": every_accepted_order_ends,
    "I3": the_charge_is_the_total_of_confirmed_orders,
    "I4": one_shipment_for_a_paid_order,
    "I5": an_order_ends_with_one_event,
    "I6": every_message_is_settled,
}
