from orders.domain import Order
from orders.steps import order_key

from chassis import CommandRefused
from chassis.testing import Harness
from contracts import StockReserved
from contracts.testing import ORDER_ID, order_of
from orders import hybrid


async def test_a_reply_is_a_step_of_its_order_however_often_it_comes() -> None:
    orders = Harness(hybrid.replies, source="orders")
    for _ in range(2):
        assert await orders.handle(StockReserved(order_id=ORDER_ID, order=order_of()), id="1") == []
    order = orders.store.get(order_key(ORDER_ID), Order)
    assert order is not None
    assert [step.event for step in order.steps] == ["StockReserved"]


async def test_a_refusal_is_no_step_of_its_order() -> None:
    orders = Harness(hybrid.replies, source="orders")
    assert await orders.handle(CommandRefused(subject=str(ORDER_ID), reason="unreadable")) == []
    assert orders.store.get(order_key(ORDER_ID), Order) is None
