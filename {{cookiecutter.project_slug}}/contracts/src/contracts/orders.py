"""The published language of order fulfilment: values, events in the past tense, commands."""

from typing import Annotated
from uuid import UUID

from pydantic import FailFast, Field

from contracts.base import MAX_CENTS, Cents, Command, Event, Name, Text, Value

MAX_LINES = 50
MAX_QUANTITY = 10_000

OrderId = UUID
Sku = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$", examples=["TEA-GREEN"])]
CustomerId = Annotated[Name, Field(examples=["ada"])]
CardId = Annotated[Name, Field(examples=["card-ada"])]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["NL"])]
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
#: What an order may come to: an outcome that could not say it would be tried again for ever.
Total = Annotated[int, Field(ge=0, le=MAX_LINES * MAX_QUANTITY * MAX_CENTS)]


class OrderLine(Value):
    sku: Sku
    quantity: Quantity
    unit_price_cents: Cents


class OrderDetails(Value):
    """What was bought, who pays with which card, and where it goes."""

    customer: CustomerId
    card: CardId
    country: Country
    # It fails with its first wrong item: pydantic makes an error of each.
    lines: Annotated[tuple[OrderLine, ...], FailFast(), Field(min_length=1, max_length=MAX_LINES)]

    @property
    def total_cents(self) -> int:
        return sum(line.quantity * line.unit_price_cents for line in self.lines)

    @property
    def quantities(self) -> dict[str, int]:
        """Units wanted of each SKU, sorted by SKU; two lines of one SKU add up."""
        wanted: dict[str, int] = {}
        for line in self.lines:
            wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
        return dict(sorted(wanted.items()))


class OfOrder(Value):
    """What each of the messages has: the order that it belongs to."""

    order_id: OrderId

    @property
    def subject(self) -> str:
        return str(self.order_id)


class OrderPlaced(OfOrder, Event):
    order: OrderDetails


class StockReserved(OfOrder, Event):
    # The next participant needs the order, and must not have to ask for it.
    order: OrderDetails


class StockRejected(OfOrder, Event):
    reason: Text


class StockReleased(OfOrder, Event):
    pass


class PaymentCaptured(OfOrder, Event):
    order: OrderDetails
    amount_cents: Total


class PaymentDeclined(OfOrder, Event):
    reason: Text


class PaymentRefunded(OfOrder, Event):
    amount_cents: Total


class ShipmentDispatched(OfOrder, Event):
    country: Country
    tracking: Text


class ShipmentFailed(OfOrder, Event):
    reason: Text


class OrderConfirmed(OfOrder, Event):
    pass


class OrderCancelled(OfOrder, Event):
    failed_step: Text
    reason: Text


class ReserveStock(OfOrder, Command):
    done = StockReserved
    refused = StockRejected

    order: OrderDetails


class ReleaseStock(OfOrder, Command):
    done = StockReleased


class CapturePayment(OfOrder, Command):
    done = PaymentCaptured
    refused = PaymentDeclined

    order: OrderDetails


class RefundPayment(OfOrder, Command):
    done = PaymentRefunded


class DispatchShipment(OfOrder, Command):
    done = ShipmentDispatched
    refused = ShipmentFailed

    order: OrderDetails
