import pytest

from chassis.errors import Undone
from contracts.base import MAX_CENTS
from contracts.orders import (
    MAX_LINES,
    MAX_QUANTITY,
    CapturePayment,
    OrderLine,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    RefundPayment,
)
from payments.commands import commands
from payments.domain import Card
from payments.settings import settings
from testkit import Harness
from tests.examples import ORDER_ID, order_of

CAPTURE = CapturePayment(order_id=ORDER_ID, order=order_of({"TEA": 3}, unit_price_cents=100))
REFUND = RefundPayment(order_id=ORDER_ID)


@pytest.fixture
def payments() -> Harness:
    payments = Harness(commands, source="payments")
    payments.store.put("card:card-ada", Card(limit_cents=500))
    return payments


async def test_a_capture_is_answered_with_the_amount(payments: Harness) -> None:
    assert await payments.handle(CAPTURE) == [
        PaymentCaptured(order_id=ORDER_ID, order=CAPTURE.order, amount_cents=300)
    ]


async def test_the_largest_order_can_be_paid(payments: Harness) -> None:
    line = OrderLine(sku="TEA", quantity=MAX_QUANTITY, unit_price_cents=MAX_CENTS)
    order = order_of().model_copy(update={"lines": (line,) * MAX_LINES})
    payments.store.put("card:card-ada", Card(limit_cents=order.total_cents))
    capture = CapturePayment(order_id=ORDER_ID, order=order)
    assert await payments.handle(capture) == [
        PaymentCaptured(order_id=ORDER_ID, order=order, amount_cents=order.total_cents)
    ]
    assert await payments.handle(REFUND) == [
        PaymentRefunded(order_id=ORDER_ID, amount_cents=order.total_cents)
    ]


async def test_asking_again_gets_the_same_answer_whatever_the_id(payments: Harness) -> None:
    first = await payments.handle(CAPTURE, id="1")
    assert await payments.handle(CAPTURE, id="1") == first
    assert await payments.handle(CAPTURE, id="2") == first
    assert payments.store.get("card:card-ada", Card) == Card(limit_cents=500, charged_cents=300)


async def test_a_card_that_is_new_has_the_usual_limit(payments: Harness) -> None:
    order = order_of({"TEA": 1}, unit_price_cents=settings.card_limit_cents + 1, card="card-new")
    (declined,) = await payments.handle(CapturePayment(order_id=ORDER_ID, order=order))
    assert isinstance(declined, PaymentDeclined)


async def test_a_refund_pays_back_once(payments: Harness) -> None:
    await payments.handle(CAPTURE)
    for _ in range(2):
        assert await payments.handle(REFUND) == [
            PaymentRefunded(order_id=ORDER_ID, amount_cents=300)
        ]
    assert payments.store.get("card:card-ada", Card) == Card(limit_cents=500)


async def test_refunding_a_declined_payment_pays_nothing(payments: Harness) -> None:
    payments.store.put("card:card-ada", Card(limit_cents=0))
    await payments.handle(CAPTURE)
    assert await payments.handle(REFUND) == [PaymentRefunded(order_id=ORDER_ID, amount_cents=0)]


async def test_a_capture_that_its_refund_overtook_is_refused(payments: Harness) -> None:
    assert await payments.handle(REFUND) == [PaymentRefunded(order_id=ORDER_ID, amount_cents=0)]
    with pytest.raises(Undone, match="was undone before it came"):
        await payments.handle(CAPTURE)
    assert payments.store.get("card:card-ada", Card) == Card(limit_cents=500)
