import pytest
from orders.domain import Order, State
from orders.steps import order_key

from chassis.testing import Harness
from contracts import (
    Event,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PaymentDeclined,
    ShipmentDispatched,
    StockRejected,
    StockReleased,
)
from contracts.testing import ORDER_ID, order_of
from orders import choreography

PLACED = OrderPlaced(order_id=ORDER_ID, order=order_of())
DISPATCHED = ShipmentDispatched(order_id=ORDER_ID, country="NL", tracking="NL-1")
REJECTED = StockRejected(order_id=ORDER_ID, reason="no tea")
DECLINED = PaymentDeclined(order_id=ORDER_ID, reason="no credit")
RELEASED = StockReleased(order_id=ORDER_ID)


@pytest.fixture
def orders() -> Harness:
    return Harness(choreography.events, source="orders")


def stored(orders: Harness) -> Order:
    order = orders.store.get(order_key(ORDER_ID), Order)
    assert order is not None
    return order


async def test_a_placed_order_is_kept(orders: Harness) -> None:
    assert await orders.handle(PLACED) == []
    order = stored(orders)
    assert (order.state, order.style, order.details) == (
        State.PLACED,
        "choreography",
        PLACED.order,
    )


async def test_a_dispatched_order_is_confirmed(orders: Harness) -> None:
    await orders.handle(PLACED)
    assert await orders.handle(DISPATCHED) == [OrderConfirmed(order_id=ORDER_ID)]
    assert stored(orders).state is State.CONFIRMED


async def test_a_rejected_order_is_cancelled_at_once(orders: Harness) -> None:
    await orders.handle(PLACED)
    assert await orders.handle(REJECTED) == [
        OrderCancelled(order_id=ORDER_ID, failed_step="StockRejected", reason="no tea")
    ]


@pytest.mark.parametrize("arrival", [(DECLINED, RELEASED), (RELEASED, DECLINED)])
async def test_a_declined_order_is_cancelled_once_its_stock_is_released(
    orders: Harness, arrival: tuple[Event, Event]
) -> None:
    first, second = arrival
    assert await orders.handle(first) == []
    assert await orders.handle(second) == [
        OrderCancelled(order_id=ORDER_ID, failed_step="PaymentDeclined", reason="no credit")
    ]


async def test_an_order_ends_once(orders: Harness) -> None:
    await orders.handle(DISPATCHED)
    assert await orders.handle(PLACED) == []
    assert await orders.handle(REJECTED) == []
    assert stored(orders).state is State.CONFIRMED


async def test_an_event_that_comes_twice_is_one_step(orders: Harness) -> None:
    for _ in range(2):
        await orders.handle(DECLINED, id="1")
    assert [step.event for step in stored(orders).steps] == ["PaymentDeclined"]
