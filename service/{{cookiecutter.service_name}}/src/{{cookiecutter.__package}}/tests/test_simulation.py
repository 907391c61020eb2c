"""This service under every fault of the simulation: SCHEDULES=20000 pytest for more."""

from contracts.orders import OrderCancelled, OrderConfirmed
from testkit.simulation import Check, Simulation, World, schedules
from tests.examples import ORDER_ID

from ..choreography import notice_key
from ..domain import Notice
from ..main import compose
from ..settings import settings

ENDS = (
    OrderConfirmed(order_id=ORDER_ID),
    OrderCancelled(order_id=ORDER_ID, failed_step="shipment", reason="no carrier"),
)


def an_order_ends(world: World) -> Check:
    end = world.pick(ENDS)
    world.publish(end, id="1")

    def check() -> list[str]:
        notice = world.store(settings.app_id).get(notice_key(ORDER_ID), Notice)
        return [] if notice else [f"notice: {type(end).__name__} left none"]

    return check


def test_whatever_fails_the_customer_is_told() -> None:
    Simulation([compose], an_order_ends).explore(schedules(200))
