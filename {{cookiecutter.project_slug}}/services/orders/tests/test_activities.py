from datetime import timedelta

import pytest

from chassis import CloudEvent, Service, envelope, read, topic_of
from chassis.handlers import by_type
from chassis.invocation import Participants
from chassis.testing import MemoryBroker, MemoryStore, running
from contracts import OrderCancelled, OrderConfirmed, OrderPlaced, ReserveStock, StockReserved
from contracts.testing import ORDER_ID, order_of
from orders.domain import Order, State, Style
from orders.hybrid import send_command
from orders.orchestration import ask_participant
from orders.process import Ending, Fulfilment, Question, end_order
from orders.settings import settings
from orders.steps import order_key

ORDER = order_of()
COMMAND = envelope(
    ReserveStock(order_id=ORDER_ID, order=ORDER), id="1", source="orders", traceparent=None
)
REPLY = envelope(
    StockReserved(order_id=ORDER_ID, order=ORDER), id="2", source="inventory", traceparent=None
)
QUESTION = Question(
    participant="inventory",
    topic=topic_of(ReserveStock),
    command=COMMAND,
    patience=timedelta(minutes=2),
)
START = Fulfilment(
    style=Style.HYBRID,
    placed=OrderPlaced(order_id=ORDER_ID, order=ORDER),
    traceparent=None,
    patience=timedelta(minutes=2),
)


class Inventory(Participants):
    """Answers what it is asked with the one reply."""

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        assert (app_id, command, topic) == ("inventory", COMMAND, "reserve-stock")
        return REPLY


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def orders(store: MemoryStore, broker: MemoryBroker) -> Service:
    orders = Service(settings, title="Orders", store=store, broker=broker)
    orders.participants = Inventory(settings)
    return orders


def ending(end: OrderConfirmed | OrderCancelled) -> Ending:
    return Ending(start=START, event=envelope(end, id="end", source="orders", traceparent=None))


async def test_a_command_is_published_as_it_is(orders: Service, broker: MemoryBroker) -> None:
    await send_command(QUESTION, orders)
    assert broker.published["reserve-stock"] == [COMMAND]


async def test_a_reply_is_recorded_once_however_often_the_activity_runs(
    orders: Service, store: MemoryStore
) -> None:
    async with running(orders):
        for _ in range(2):
            assert await ask_participant(QUESTION, orders) == REPLY
    order = store.get(order_key(ORDER_ID), Order)
    assert order is not None
    assert [step.event for step in order.steps] == ["StockReserved"]


async def test_the_end_of_an_order_is_recorded_and_published(
    orders: Service, store: MemoryStore, broker: MemoryBroker
) -> None:
    confirmed = OrderConfirmed(order_id=ORDER_ID)
    async with running(orders):
        await end_order(ending(confirmed), orders)
    order = store.get(order_key(ORDER_ID), Order)
    assert order is not None
    assert order.state is State.CONFIRMED
    (published,) = broker.published["order-confirmed"]
    assert read(published, by_type(OrderConfirmed)) == confirmed


async def test_the_end_makes_up_for_an_order_that_was_never_recorded(
    orders: Service, store: MemoryStore
) -> None:
    cancelled = OrderCancelled(order_id=ORDER_ID, failed_step="StockRejected", reason="no tea")
    async with running(orders):
        await end_order(ending(cancelled), orders)
    order = store.get(order_key(ORDER_ID), Order)
    assert order is not None
    assert (order.details, order.style) == (ORDER, "hybrid")


async def test_an_end_that_runs_again_is_published_under_the_same_id(
    orders: Service, broker: MemoryBroker
) -> None:
    async with running(orders):
        for _ in range(2):
            await end_order(ending(OrderConfirmed(order_id=ORDER_ID)), orders)
    first, second = broker.published["order-confirmed"]
    assert first == second
