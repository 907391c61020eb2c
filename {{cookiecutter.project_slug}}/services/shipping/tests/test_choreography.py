import pytest

from contracts.orders import PaymentCaptured, ShipmentDispatched, ShipmentFailed
from shipping import choreography
from testkit import Harness
from tests.examples import ORDER_ID, order_of


def paid(country: str) -> PaymentCaptured:
    return PaymentCaptured(order_id=ORDER_ID, order=order_of(country=country), amount_cents=100)


@pytest.fixture
def shipping() -> Harness:
    return Harness(choreography.events, source="shipping")


async def test_a_paid_order_is_dispatched(shipping: Harness) -> None:
    (dispatched,) = await shipping.handle(paid("NL"))
    assert isinstance(dispatched, ShipmentDispatched)
    assert dispatched.country == "NL"


async def test_a_paid_order_to_where_no_carrier_goes_fails(shipping: Harness) -> None:
    assert await shipping.handle(paid("AQ")) == [
        ShipmentFailed(order_id=ORDER_ID, reason="no carrier serves AQ")
    ]


async def test_an_event_that_comes_twice_ships_once(shipping: Harness) -> None:
    first = await shipping.handle(paid("NL"), id="1")
    assert await shipping.handle(paid("NL"), id="1") == first
    assert len(shipping.store.commits) == 1
