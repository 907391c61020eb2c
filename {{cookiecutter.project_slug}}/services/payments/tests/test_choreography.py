import pytest

from contracts.orders import (
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    ShipmentFailed,
    StockReserved,
)
from payments import choreography
from payments.domain import Card
from testkit import Harness
from tests.examples import ORDER_ID, order_of

RESERVED = StockReserved(order_id=ORDER_ID, order=order_of({"TEA": 3}, unit_price_cents=100))


@pytest.fixture
def payments() -> Harness:
    payments = Harness(choreography.events, source="payments")
    payments.store.put("card:card-ada", Card(limit_cents=500))
    return payments


async def test_an_order_with_stock_is_paid(payments: Harness) -> None:
    assert await payments.handle(RESERVED) == [
        PaymentCaptured(order_id=ORDER_ID, order=RESERVED.order, amount_cents=300)
    ]
    assert payments.store.get("card:card-ada", Card) == Card(limit_cents=500, charged_cents=300)


async def test_an_order_beyond_the_limit_is_declined(payments: Harness) -> None:
    payments.store.put("card:card-ada", Card(limit_cents=299))
    (declined,) = await payments.handle(RESERVED)
    assert isinstance(declined, PaymentDeclined)
    assert "insufficient credit" in declined.reason


async def test_an_event_that_comes_twice_charges_once(payments: Harness) -> None:
    first = await payments.handle(RESERVED, id="1")
    assert await payments.handle(RESERVED, id="1") == first
    assert payments.store.get("card:card-ada", Card) == Card(limit_cents=500, charged_cents=300)


async def test_an_order_that_is_not_shipped_is_refunded(payments: Harness) -> None:
    await payments.handle(RESERVED)
    assert await payments.handle(ShipmentFailed(order_id=ORDER_ID, reason="no carrier")) == [
        PaymentRefunded(order_id=ORDER_ID, amount_cents=300)
    ]
    assert payments.store.get("card:card-ada", Card) == Card(limit_cents=500)
