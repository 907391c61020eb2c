"""Events: what happened, in the past tense. Topic and CloudEvents type follow from the name."""

from contracts.messages import Event
from contracts.values import Cents, Country, OrderDetails, Text


class OrderPlaced(Event):
    order: OrderDetails


class StockReserved(Event):
    # The next participant needs the order, and must not have to ask for it.
    order: OrderDetails


class StockRejected(Event):
    reason: Text


class StockReleased(Event):
    pass


class PaymentCaptured(Event):
    order: OrderDetails
    amount_cents: Cents


class PaymentDeclined(Event):
    reason: Text


class PaymentRefunded(Event):
    amount_cents: Cents


class ShipmentDispatched(Event):
    country: Country
    tracking: Text


class ShipmentFailed(Event):
    reason: Text


class OrderConfirmed(Event):
    pass


class OrderCancelled(Event):
    failed_step: Text
    reason: Text
