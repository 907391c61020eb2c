"""The ledger of a run, read from the stores and the broker of its world."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set

from chassis import topic_of
from chassis.deadletters import letter_id
from chassis.saga import Progress, Style, undone
from chassis.saga.records import record_key
from chassis.transaction import adapter
from contracts.orders import OrderCancelled, OrderConfirmed
from inventory.domain import Reservation, Stock
from inventory.steps import reservation_key, stock_key
from orders.api import STATES
from orders.saga import FULFILMENT
from payments.domain import Card, Payment
from payments.steps import card_key, payment_key
from shipping.domain import Shipment, Status
from shipping.steps import shipment_key
from testkit.simulation import World
from testkit.simulation.world import Fate
from tests.invariants import Ledger, Message
from tests.invariants import Order as Entry
from tests.invariants import Payment as Paid
from tests.invariants import Reservation as Held
from tests.invariants import Stock as Shelf
from tests.simulation.plans import NONE, Plan

#: Virtual seconds. A workflow waits up to two minutes for each step before it gives up on it.
DEADLINES = {Style.CHOREOGRAPHY: 120, Style.ORCHESTRATION: 1200, Style.HYBRID: 1200}

ENDS = {topic_of(each): each.__name__ for each in (OrderConfirmed, OrderCancelled)}


def read(
    world: World,
    style: Style,
    plans: Sequence[Plan],
    goods: Mapping[str, int],
    accepted: Set[str],
) -> Ledger:
    inventory, payments = world.store("inventory"), world.store("payments")
    fates = world.fates()
    ids = [plan.order_id for plan in plans]
    reservations = {id: inventory.get(reservation_key(id), Reservation) for id in ids}
    captured = {id: payments.get(payment_key(id), Payment) for id in ids}
    stock = {sku: inventory.get(stock_key(sku), Stock) or Stock() for sku in (*goods, NONE)}
    cards = {plan.details.card: payments.get(card_key(plan.details.card), Card) for plan in plans}
    return Ledger(
        deadline=DEADLINES[style],
        orders={str(plan.order_id): _entry(world, plan, accepted) for plan in plans},
        reservations={
            str(id): Held(held.status, held.quantities) for id, held in reservations.items() if held
        },
        payments={
            str(id): Paid(paid.status, paid.amount_cents) for id, paid in captured.items() if paid
        },
        shipments=_shipments(world, plans),
        stock={sku: Shelf(each.received, each.reserved) for sku, each in stock.items()},
        cards={name: card.charged_cents if card else 0 for name, card in cards.items()},
        goods=goods,
        published=frozenset(map(_message, fates)),
        processed=frozenset(_message(fate) for fate in fates if fate.processed),
        dead_letters=frozenset(_message(fate) for fate in fates if fate.dead_lettered),
    )


def _entry(world: World, plan: Plan, accepted: Set[str]) -> Entry:
    key = record_key(FULFILMENT, str(plan.order_id))
    order = world.store("orders").get(key, Progress) or Progress(str(plan.order_id))
    seconds = None
    if order.ended_at and order.started_at:
        seconds = (order.ended_at - order.started_at).total_seconds()
    ends = {
        each.event.id: ENDS[each.topic]
        for each in world.broker.log
        if each.topic in ENDS and each.event and each.event.subject == str(plan.order_id)
    }
    return Entry(
        id=str(plan.order_id),
        card=plan.details.card,
        total_cents=plan.details.total_cents,
        wanted=plan.details.quantities,
        accepted=plan.key in accepted,
        state=STATES[order.state],
        seconds=seconds,
        failed_step=order.failed_step,
        undone=tuple(undone(FULFILMENT, order)),
        ends=tuple(ends.values()),
    )


def _shipments(world: World, plans: Sequence[Plan]) -> dict[str, int]:
    """How often each order was handed to a carrier, whatever is stored of it now."""
    keys = {shipment_key(plan.order_id): str(plan.order_id) for plan in plans}
    times: Counter[str] = Counter()
    for write in world.store("shipping").log:
        if write.key in keys and write.value is not None:
            shipment: Shipment = adapter(Shipment).validate_json(write.value)
            times[keys[write.key]] += shipment.status is Status.DISPATCHED
    return dict(times)


def _message(fate: Fate) -> Message:
    event = fate.message.event
    return Message(
        service=fate.service,
        topic=fate.message.topic,
        id=event.id if event else str(letter_id(fate.message.raw)),
        order_id=event.subject if event else "",
    )
