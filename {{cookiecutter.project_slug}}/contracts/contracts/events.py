"""Events: what happened, in the past tense. Topic and CloudEvents type follow from the name."""

from contracts.messages import Event
from contracts.values import Cents, Country, OrderDetails


class OrderPlaced(Event):
    order: OrderDetails


class StockReserved(Event):
    # The next participant needs the order, and must not have to ask for it.
    order: OrderDetails


class StockRejected(Event):
    reason: str


class StockReleased(Event):
    pass


class PaymentCaptured(Event):
    order: OrderDetails
    amount_cents: Cents


class PaymentDeclined(Event):
    reason: str


class PaymentRefunded(Event):
    amount_cents: Cents


class ShipmentDispatched(Event):
    country: Country
    tracking: str


class ShipmentFailed(Event):
    reason: str


class OrderConfirmed(Event):
    pass


class OrderCancelled(Event):
    failed_step: str
    reason: str
