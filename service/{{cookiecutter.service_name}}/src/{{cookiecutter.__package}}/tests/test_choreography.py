"""In the package: relative imports hold under whatever name the service has."""

import pytest

from contracts.orders import OrderCancelled, OrderConfirmed
from testkit import Harness
from tests.examples import ORDER_ID

from ..choreography import events, notice_key
from ..domain import Notice


@pytest.fixture
def service() -> Harness:
    return Harness(events)


def kept(service: Harness) -> str:
    notice = service.store.get(notice_key(ORDER_ID), Notice)
    return "" if notice is None else notice.text


async def test_the_customer_is_told_that_the_order_is_confirmed(service: Harness) -> None:
    await service.handle(OrderConfirmed(order_id=ORDER_ID))
    assert "confirmed" in kept(service)


async def test_the_customer_is_told_why_the_order_is_cancelled(service: Harness) -> None:
    await service.handle(
        OrderCancelled(order_id=ORDER_ID, failed_step="payment", reason="card declined")
    )
    assert kept(service) == "Your order is cancelled: card declined."


async def test_the_notice_of_the_first_time_stands(service: Harness) -> None:
    await service.handle(OrderConfirmed(order_id=ORDER_ID))
    first = kept(service)
    await service.handle(OrderConfirmed(order_id=ORDER_ID))
    assert kept(service) == first
