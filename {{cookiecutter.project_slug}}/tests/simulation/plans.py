"""The orders of a run: what is bought, and why it may fail. Picked by the seed, for all styles."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis import derived_id, topic_of
from chassis.saga import Style
from contracts.orders import CapturePayment, OrderDetails, OrderPlaced, ReserveStock, StockReserved
from payments.settings import settings as payments
from testkit.simulation import World
from tests.examples import order_of

#: There is enough of the first, one unit of the second, and none of the third.
PLENTY, LAST_ONE, NONE = "PLENTY", "LAST-ONE", "NONE"
GOODS = {PLENTY: 100, LAST_ONE: 1}

#: No service can ever do anything about these; where they are published depends on the style.
POISONS = (b"neither JSON nor text: \xff", b'{"specversion": "1.0", "id": "1"}')
POISONED = {
    Style.CHOREOGRAPHY: topic_of(OrderPlaced),
    Style.ORCHESTRATION: topic_of(StockReserved),
    Style.HYBRID: topic_of(ReserveStock),
}

#: What may not get through for a while, so that a workflow undoes it before it is done.
HELD = (("inventory", topic_of(ReserveStock)), ("payments", topic_of(CapturePayment)))

#: How long a workflow waits for a step. With the short one it often gives up on a step that is done
#: all the same, or will be.
ENDLESS, LONG, SHORT = timedelta(days=1), timedelta(minutes=2), timedelta(milliseconds=400)
TIMEOUTS = (LONG, LONG, SHORT)

UNIT_PRICE_CENTS = 100
#: Two of these are more than a card may be charged.
MOST_OF_A_CARD = payments.card_limit_cents * 2 // 3


@dataclass(frozen=True)
class Plan:
    """One order. `key` is its Idempotency-Key."""

    key: str
    details: OrderDetails

    @property
    def order_id(self) -> UUID:
        return UUID(derived_id("order", self.key))


def pick(world: World, *, contended: bool) -> list[Plan]:
    """One order or two. If they contend, it depends on luck which of them gets what."""
    kinds: tuple[str, ...] = ("good", "no stock", "no credit", "no carrier", "no carrier")
    if contended:
        kinds += ("last one", "shared card")
    return [
        Plan(f"order-{number + 1}", _details(world.pick(kinds), number))
        for number in range(world.pick((1, 1, 2)))
    ]


def _details(kind: str, number: int) -> OrderDetails:
    card = f"card-{number + 1}"
    if kind == "no stock":
        return order_of({PLENTY: 1, NONE: 1}, card=card)
    if kind == "no credit":
        return order_of({PLENTY: 2}, card=card, unit_price_cents=payments.card_limit_cents)
    if kind == "no carrier":
        return order_of({PLENTY: 2}, card=card, country="AQ")
    if kind == "last one":
        return order_of({PLENTY: 1, LAST_ONE: 1}, card=card)
    if kind == "shared card":
        return order_of({PLENTY: 1}, card="shared", unit_price_cents=MOST_OF_A_CARD)
    return order_of({PLENTY: 1 + number}, card=card, unit_price_cents=UNIT_PRICE_CENTS)
