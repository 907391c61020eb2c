"""What the declaration makes of the events: how an order ends, and with which event."""

from collections.abc import AsyncIterator

import pytest

from chassis import Service, envelope, topic_of
from chassis.saga import Style
from contracts.base import Event
from contracts.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    ShipmentDispatched,
    ShipmentFailed,
    StockRejected,
    StockReleased,
    StockReserved,
)
from orders.main import compose
from orders.saga import FULFILMENT
from testkit import MemoryBroker, memory_ports, running
from tests.examples import ORDER_ID, order_of

ORDER = order_of()
PLACED = OrderPlaced(order_id=ORDER_ID, order=ORDER)
RESERVED = StockReserved(order_id=ORDER_ID, order=ORDER)
REJECTED = StockRejected(order_id=ORDER_ID, reason="no tea")
RELEASED = StockReleased(order_id=ORDER_ID)
CAPTURED = PaymentCaptured(order_id=ORDER_ID, order=ORDER, amount_cents=100)
DECLINED = PaymentDeclined(order_id=ORDER_ID, reason="no credit")
REFUNDED = PaymentRefunded(order_id=ORDER_ID, amount_cents=100)
DISPATCHED = ShipmentDispatched(order_id=ORDER_ID, country="NL", tracking="NL-1")
FAILED = ShipmentFailed(order_id=ORDER_ID, reason="no carrier")


def cancelled(failed_step: str, reason: str) -> OrderCancelled:
    return OrderCancelled(order_id=ORDER_ID, failed_step=failed_step, reason=reason)


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
async def orders(broker: MemoryBroker) -> AsyncIterator[Service]:
    orders = compose(memory_ports(broker=broker))
    async with running(orders):
        yield orders


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ([RESERVED, CAPTURED, DISPATCHED], OrderConfirmed(order_id=ORDER_ID)),
        ([REJECTED], cancelled("ReserveStock", "no tea")),
        ([RESERVED, DECLINED, RELEASED], cancelled("CapturePayment", "no credit")),
        (
            [RESERVED, CAPTURED, FAILED, REFUNDED, RELEASED],
            cancelled("DispatchShipment", "no carrier"),
        ),
    ],
    ids=["confirmed", "no stock", "not paid", "not shipped"],
)
async def test_an_order_ends_once_all_is_known(
    orders: Service, broker: MemoryBroker, events: list[Event], end: Event
) -> None:
    await orders.sagas.begin(FULFILMENT, Style.CHOREOGRAPHY, PLACED)
    topic = topic_of(type(end))
    for event in events:
        assert not broker.published[topic]
        arrived = envelope(event, id=type(event).__name__, source="test", traceparent=None)
        await orders.subscriptions.handle(arrived, topic_of(type(event)))
    (published,) = broker.published[topic]
    assert type(end).model_validate(published.data) == end
