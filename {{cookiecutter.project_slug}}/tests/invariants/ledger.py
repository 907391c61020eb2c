"""What all services know once a run has settled, as plain data.

Whoever can look deeper fills in more: what is None was not looked at, and is not checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

CONFIRMED, CANCELLED = "confirmed", "cancelled"


@dataclass(frozen=True, slots=True)
class Order:
    """What was ordered, and how the orders service says that it ended."""

    id: str
    card: str
    total_cents: int
    #: Units by SKU.
    wanted: Mapping[str, int]
    #: Its customer got the answer that it is accepted; without that it may end, but need not.
    accepted: bool = True
    #: None: the orders service does not know it.
    state: str | None = None
    #: From its placing to its end; None while it has not ended.
    seconds: float | None = None
    failed_step: str | None = None
    undone: tuple[str, ...] = ()
    #: The OrderConfirmed and OrderCancelled events that were published, one for each id.
    ends: tuple[str, ...] | None = None

    @property
    def confirmed(self) -> bool:
        return self.state == CONFIRMED

    @property
    def ended(self) -> bool:
        return self.state in (CONFIRMED, CANCELLED)


@dataclass(frozen=True, slots=True)
class Stock:
    received: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Reservation:
    status: str
    quantities: Mapping[str, int] = field(default_factory=dict)

    @property
    def held(self) -> Mapping[str, int]:
        return self.quantities if self.status == "reserved" else {}


@dataclass(frozen=True, slots=True)
class Payment:
    status: str
    amount_cents: int

    @property
    def net_cents(self) -> int:
        return self.amount_cents if self.status == "captured" else 0


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way to one of its listeners."""

    service: str
    topic: str
    id: str
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Of SKUs and cards only those that no other orders use."""

    #: An order has this many seconds, from its placing to its end.
    deadline: float
    orders: Mapping[str, Order]
    #: By order; an order that a participant does not know is missing.
    reservations: Mapping[str, Reservation]
    payments: Mapping[str, Payment]
    #: How often each order was handed to a carrier.
    shipments: Mapping[str, int]
    stock: Mapping[str, Stock]
    #: What each card is charged in all, in cents.
    cards: Mapping[str, int]
    #: Units of each SKU that were put on the shelf, by those who put them there.
    goods: Mapping[str, int] | None = None
    #: What was published, once for each listener, and what became of it.
    published: frozenset[Message] = frozenset()
    processed: frozenset[Message] = frozenset()
    dead_letters: frozenset[Message] = frozenset()
