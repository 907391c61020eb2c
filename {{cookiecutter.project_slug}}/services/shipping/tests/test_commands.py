import pytest

from contracts.orders import DispatchShipment, ShipmentDispatched, ShipmentFailed
from shipping.commands import commands
from testkit import Harness
from tests.examples import ORDER_ID, order_of

DISPATCH = DispatchShipment(order_id=ORDER_ID, order=order_of(country="NL"))


@pytest.fixture
def shipping() -> Harness:
    return Harness(commands, source="shipping")


async def test_a_dispatch_is_answered_with_a_tracking_code(shipping: Harness) -> None:
    (dispatched,) = await shipping.handle(DISPATCH)
    assert isinstance(dispatched, ShipmentDispatched)
    assert dispatched.tracking


async def test_a_country_without_a_carrier_is_answered_with_the_reason(shipping: Harness) -> None:
    nowhere = DispatchShipment(order_id=ORDER_ID, order=order_of(country="AQ"))
    assert await shipping.handle(nowhere) == [
        ShipmentFailed(order_id=ORDER_ID, reason="no carrier serves AQ")
    ]


async def test_asking_again_gets_the_same_answer_whatever_the_id(shipping: Harness) -> None:
    first = await shipping.handle(DISPATCH, id="1")
    assert await shipping.handle(DISPATCH, id="1") == first
    assert await shipping.handle(DISPATCH, id="2") == first
