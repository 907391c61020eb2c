import logging
from datetime import UTC, datetime, timedelta

import pytest

from chassis import CloudEvent, CommandRefused, Service, Unavailable, envelope, read, topic_of
from chassis.handlers import by_type
from chassis.testing import MemoryBroker, MemoryStore, memory_ports, running
from chassis.testing.ports import NoParticipants
from contracts import OrderCancelled, OrderConfirmed, OrderPlaced, ReserveStock, StockReserved
from contracts.testing import ORDER_ID, order_of
from orders.asking import Fulfilment, Question
from orders.domain import Order, Retry, State, Style
from orders.hybrid import send_command
from orders.main import compose
from orders.orchestration import ask_participant
from orders.process import Ending, end_order
from orders.steps import order_key

ORDER = order_of()
COMMAND = envelope(
    ReserveStock(order_id=ORDER_ID, order=ORDER), id="1", source="orders", traceparent=None
)
REPLY = envelope(
    StockReserved(order_id=ORDER_ID, order=ORDER), id="2", source="inventory", traceparent=None
)
QUESTION = Question(
    step="ReserveStock",
    participant="inventory",
    topic=topic_of(ReserveStock),
    command=COMMAND,
)
RETRY = Retry("ReserveStock", "inventory", 1, datetime(2030, 1, 1, tzinfo=UTC), "HTTP 503")
AGAIN = QUESTION.model_copy(update={"attempt": 2, "retrying": (RETRY,)})
START = Fulfilment(
    style=Style.HYBRID,
    placed=OrderPlaced(order_id=ORDER_ID, order=ORDER),
    traceparent=None,
    patience=timedelta(minutes=2),
)


class Inventory(NoParticipants):
    """Answers what it is asked with the one reply."""

    reply: CloudEvent | None = REPLY

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        assert (app_id, command, topic) == ("inventory", COMMAND, "reserve-stock")
        if self.reply is None:
            raise Unavailable("HTTP 503")
        return self.reply


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def inventory() -> Inventory:
    return Inventory()


@pytest.fixture
def orders(store: MemoryStore, broker: MemoryBroker, inventory: Inventory) -> Service:
    return compose(memory_ports(store=store, broker=broker, participants=inventory))


def order_in(store: MemoryStore) -> Order:
    order = store.get(order_key(ORDER_ID), Order)
    assert order is not None
    return order


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
    assert [step.event for step in order_in(store).steps] == ["StockReserved"]


async def test_a_refusal_is_returned_and_is_no_step(
    orders: Service, store: MemoryStore, inventory: Inventory
) -> None:
    refused = CommandRefused(subject=str(ORDER_ID), reason="unreadable")
    inventory.reply = envelope(refused, id="3", source="inventory", traceparent=None)
    async with running(orders):
        assert await ask_participant(QUESTION, orders) == inventory.reply
    assert store.get(order_key(ORDER_ID), Order) is None


@pytest.mark.parametrize("type", ["stock-reserved.v9", "nobody-knows.v1"])
async def test_a_reply_that_cannot_be_read_is_no_refusal(
    orders: Service, inventory: Inventory, type: str
) -> None:
    inventory.reply = REPLY.model_copy(update={"type": type})
    async with running(orders):
        with pytest.raises(Unavailable, match="not readable"):
            await ask_participant(QUESTION, orders)


async def test_an_attempt_that_fails_leaves_in_the_order_why_it_was_made(
    orders: Service, store: MemoryStore, inventory: Inventory
) -> None:
    inventory.reply = None
    async with running(orders):
        with pytest.raises(Unavailable):
            await ask_participant(AGAIN, orders)
    assert order_in(store).retrying == (RETRY,)


async def test_a_command_that_is_sent_again_leaves_in_the_order_why(
    orders: Service, store: MemoryStore
) -> None:
    async with running(orders):
        await send_command(AGAIN, orders)
    assert order_in(store).retrying == (RETRY,)


async def test_the_reply_clears_what_was_tried_again(orders: Service, store: MemoryStore) -> None:
    async with running(orders):
        await ask_participant(AGAIN, orders)
    assert order_in(store).retrying == ()


async def test_a_first_attempt_writes_nothing_but_its_reply(
    orders: Service, store: MemoryStore
) -> None:
    async with running(orders):
        await ask_participant(QUESTION, orders)
    # The list of unfinished orders is swept meanwhile.
    handled = [writes for writes in store.commits if any("inbox" in each.key for each in writes)]
    assert len(handled) == 1


async def test_a_participant_is_asked_though_the_order_cannot_be_written(
    orders: Service, store: MemoryStore, inventory: Inventory
) -> None:
    store.failures = [Unavailable("the store is away")]
    async with running(orders):
        assert await ask_participant(AGAIN, orders) == REPLY


async def test_a_further_attempt_is_logged_with_its_cause(
    orders: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with running(orders):
            await ask_participant(AGAIN, orders)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "orders.process"]
    assert line == (
        "inventory is asked again for ReserveStock: attempt 2, since 2030-01-01T00:00:00+00:00: "
        "HTTP 503"
    )


async def test_the_end_of_an_order_is_recorded_and_published(
    orders: Service, store: MemoryStore, broker: MemoryBroker
) -> None:
    confirmed = OrderConfirmed(order_id=ORDER_ID)
    async with running(orders):
        await end_order(ending(confirmed), orders)
    assert order_in(store).state is State.CONFIRMED
    (published,) = broker.published["order-confirmed"]
    assert read(published, by_type(OrderConfirmed)) == confirmed


async def test_the_end_makes_up_for_an_order_that_was_never_recorded(
    orders: Service, store: MemoryStore
) -> None:
    cancelled = OrderCancelled(order_id=ORDER_ID, failed_step="StockRejected", reason="no tea")
    async with running(orders):
        await end_order(ending(cancelled), orders)
    order = order_in(store)
    assert (order.details, order.style) == (ORDER, "hybrid")


async def test_an_end_that_cannot_be_recorded_is_no_refusal(orders: Service) -> None:
    unreadable = ending(OrderConfirmed(order_id=ORDER_ID)).event.model_copy(
        update={"type": "order-confirmed.v9"}
    )
    async with running(orders):
        with pytest.raises(Unavailable, match="the end is not recorded"):
            await end_order(Ending(start=START, event=unreadable), orders)


async def test_an_end_that_runs_again_is_published_under_the_same_id(
    orders: Service, broker: MemoryBroker
) -> None:
    async with running(orders):
        for _ in range(2):
            await end_order(ending(OrderConfirmed(order_id=ORDER_ID)), orders)
    first, second = broker.published["order-confirmed"]
    assert first == second
