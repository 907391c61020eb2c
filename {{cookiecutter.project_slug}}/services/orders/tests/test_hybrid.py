from datetime import timedelta

import pytest

from chassis.testing import Harness
from contracts import StockReserved
from contracts.testing import ORDER_ID, order_of
from orders import hybrid
from orders.domain import Order
from orders.steps import order_key


async def test_a_reply_is_a_step_of_its_order_however_often_it_comes() -> None:
    orders = Harness(hybrid.replies, source="orders")
    for _ in range(2):
        assert await orders.handle(StockReserved(order_id=ORDER_ID, order=order_of()), id="1") == []
    order = orders.store.get(order_key(ORDER_ID), Order)
    assert order is not None
    assert [step.event for step in order.steps] == ["StockReserved"]


@pytest.mark.parametrize(
    "patience", [timedelta(seconds=1), timedelta(minutes=2), timedelta(days=1)]
)
def test_the_waits_add_up_to_the_patience(patience: timedelta) -> None:
    assert sum(hybrid.waits(patience), timedelta()) == patience


def test_each_wait_is_twice_as_long_as_the_one_before_up_to_ten_minutes() -> None:
    waits = list(hybrid.waits(timedelta(days=1)))
    assert waits[:3] == [timedelta(seconds=15), timedelta(seconds=30), timedelta(seconds=60)]
    assert max(waits) == timedelta(minutes=10)
