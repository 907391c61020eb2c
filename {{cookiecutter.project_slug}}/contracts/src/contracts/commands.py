"""Commands: what a participant is asked to do, in the imperative, and the events that answer."""

from typing import ClassVar

from contracts.events import (
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    ShipmentDispatched,
    ShipmentFailed,
    StockRejected,
    StockReleased,
    StockReserved,
)
from contracts.messages import Command, Event
from contracts.values import OrderDetails


class ReserveStock(Command):
    done: ClassVar[type[Event]] = StockReserved
    refused: ClassVar[type[Event]] = StockRejected

    order: OrderDetails


class ReleaseStock(Command):
    done: ClassVar[type[Event]] = StockReleased


class CapturePayment(Command):
    done: ClassVar[type[Event]] = PaymentCaptured
    refused: ClassVar[type[Event]] = PaymentDeclined

    order: OrderDetails


class RefundPayment(Command):
    done: ClassVar[type[Event]] = PaymentRefunded


class DispatchShipment(Command):
    done: ClassVar[type[Event]] = ShipmentDispatched
    refused: ClassVar[type[Event]] = ShipmentFailed

    order: OrderDetails
