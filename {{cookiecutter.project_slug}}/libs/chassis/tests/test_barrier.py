"""A step that was undone is not done afterwards, whichever of the two comes first."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

import httpx
import pytest
from pydantic import BaseModel

from chassis.cloudevents import CloudEvent, envelope
from chassis.errors import Undone
from chassis.handlers import Handlers
from chassis.inbox import Inbox, inbox_key
from chassis.messages import Message, topic_of
from chassis.processor import Processor
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.transaction import Transaction
from testkit import Harness, MemoryBroker, MemoryStore, memory_ports, running


class Book(BaseModel):
    version: ClassVar[int] = 1
    trip: str = "rome"

    @property
    def subject(self) -> str:
        return self.trip


class Cancel(Book):
    pass


class Pay(Book):
    """It has no undo."""


class Paid(Book):
    """An event that leads to a booking."""


class Answered(Book):
    pass


def booking() -> Handlers:
    commands = Handlers()

    @commands.on(Book)
    async def book(asked: Book, tx: Transaction) -> Answered:
        rooms = await tx.get("rooms", int) or 0
        tx.put("rooms", rooms + 1)
        return Answered(trip=asked.trip)

    @commands.on(Cancel, undoes=Book)
    async def cancel(asked: Cancel, tx: Transaction) -> Answered:
        rooms = await tx.get("rooms", int) or 0
        if rooms:
            tx.put("rooms", rooms - 1)
        return Answered(trip=asked.trip)

    @commands.on(Pay)
    async def pay(asked: Pay, tx: Transaction) -> Answered:
        return Answered(trip=asked.trip)

    return commands


@pytest.fixture
def hotel() -> Harness:
    return Harness(booking(), source="hotel")


async def test_an_undo_after_its_do_undoes_it(hotel: Harness) -> None:
    await hotel.handle(Book())
    assert await hotel.handle(Cancel()) == [Answered()]
    assert hotel.store.get("rooms", int) == 0


async def test_a_do_that_its_undo_overtook_is_refused(hotel: Harness) -> None:
    assert await hotel.handle(Cancel()) == [Answered()]
    with pytest.raises(Undone, match="book of rome was undone before it came"):
        await hotel.handle(Book())
    assert hotel.store.get("rooms", int) is None


async def test_a_reaction_whose_step_was_undone_before_leads_to_nothing_and_is_done_with(
    hotel: Harness,
) -> None:
    events, commands = Handlers(), booking()

    @events.on(Paid)
    async def book(paid: Paid, tx: Transaction) -> Answered:
        await commands[topic_of(Book)].handler(Book(trip=paid.trip), tx)
        return Answered(trip=paid.trip)

    reacting = Harness(events, source="hotel")
    reacting.store = hotel.store
    await hotel.handle(Cancel())
    assert await reacting.handle(Paid()) == []
    assert hotel.store.get("rooms", int) is None


async def test_a_do_that_comes_again_under_another_id_after_its_undo_is_refused(
    hotel: Harness,
) -> None:
    await hotel.handle(Book(), id="1")
    await hotel.handle(Cancel())
    with pytest.raises(Undone):
        await hotel.handle(Book(), id="2")


async def test_an_undo_stops_no_step_of_another_process(hotel: Harness) -> None:
    await hotel.handle(Cancel())
    assert await hotel.handle(Book(trip="oslo")) == [Answered(trip="oslo")]


async def test_an_undo_on_a_topic_that_is_given_has_its_barrier_too() -> None:
    commands = Handlers()

    async def handle(asked: Book | Cancel, tx: Transaction) -> Answered:
        return Answered(trip=asked.trip)

    commands.on(Book)(handle)
    commands.on(Cancel, topic="take-back", undoes=Book)(handle)
    hotel = Harness(commands, source="hotel")
    await hotel.handle(Cancel())
    with pytest.raises(Undone):
        await hotel.handle(Book())


@pytest.mark.parametrize("seed", range(20))
async def test_do_and_undo_on_two_replicas_leave_nothing_done(seed: int) -> None:
    store, broker = MemoryStore(), MemoryBroker()
    replicas = [Harness(booking(), source="hotel") for _ in range(2)]
    for replica in replicas:
        replica.store, replica.broker = store, broker
    first, second = replicas if seed % 2 else reversed(replicas)
    await asyncio.gather(
        first.handle(Cancel(), id=f"c{seed}"),
        second.handle(Book(), id=f"b{seed}"),
        return_exceptions=True,
    )
    assert not store.get("rooms", int)


async def test_the_barrier_is_read_together_with_the_record_of_the_inbox() -> None:
    store, commands = MemoryStore(), booking()
    processor = Processor(store, MemoryBroker(), Inbox("hotel", 60, [commands]))
    processor.start()
    command = envelope(Book(), id="1", source="test", traceparent=None)
    await processor.process(command, commands[topic_of(Book)])
    await processor.stop()
    assert set(store.reads[0]) == {inbox_key(command), *commands.barriers("rome")}


@pytest.mark.parametrize("take_commands", [Service.consume, Service.answer])
def test_an_undo_whose_do_is_elsewhere_ends_the_start(
    service: Service, take_commands: Callable[[Service, Handlers], None]
) -> None:
    undoing = Handlers()

    @undoing.on(Cancel, undoes=Book)
    async def cancel(asked: Cancel, tx: Transaction) -> Answered:
        raise NotImplementedError(asked, tx)

    with pytest.raises(ValueError, match="'cancel' undoes 'book', which has no handler"):
        take_commands(service, undoing)


WEEK = 7 * 24 * 3600.0
LASTING = [Cancel(), Pay()]


class Hotel(Service):
    """It takes commands in both ways, and its time passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.memory = MemoryStore(lambda: self.seconds)
        ports = memory_ports(store=self.memory)
        super().__init__(ServiceSettings(app_id="hotel"), title="Hotel", ports=ports)
        commands = booking()
        self.consume(commands)
        self.answer(commands)


def command(message: Message, **data: object) -> CloudEvent:
    event = envelope(message, id="1", source="trips", traceparent=None, replyto="trip-replies")
    return event.model_copy(update={"data": event.data | data})


async def consumed(_: httpx.AsyncClient, hotel: Hotel, event: CloudEvent) -> None:
    await hotel.subscriptions.handle(event, event.type.partition(".")[0])


async def answered(client: httpx.AsyncClient, _: Hotel, event: CloudEvent) -> None:
    topic = event.type.partition(".")[0]
    await client.post(f"/commands/{topic}", content=event.on_the_wire())


def records(hotel: Hotel, event: CloudEvent) -> list[int | None]:
    """The TTL of each record that was written of it."""
    key = inbox_key(event)
    return [write.ttl_seconds for write in hotel.memory.table.log if write.key == key]


@pytest.mark.parametrize("take", [consumed, answered])
@pytest.mark.parametrize("message", LASTING)
async def test_what_is_asked_for_until_it_is_done_is_done_once_however_long_that_takes(
    take: Callable[[httpx.AsyncClient, Hotel, CloudEvent], Awaitable[None]], message: Message
) -> None:
    """Its replies may be lost for longer than an inbox record is kept."""
    hotel, event = Hotel(), command(message)
    async with running(hotel) as client:
        await take(client, hotel, event)
        hotel.seconds += 2 * WEEK
        await take(client, hotel, event)
    assert records(hotel, event) == [None]


@pytest.mark.parametrize("take", [consumed, answered])
@pytest.mark.parametrize("event", [command(Book()), command(Pay(), trip=["unreadable"])])
async def test_what_is_soon_given_up_and_what_is_refused_is_forgotten_one_day(
    take: Callable[[httpx.AsyncClient, Hotel, CloudEvent], Awaitable[None]], event: CloudEvent
) -> None:
    hotel = Hotel()
    async with running(hotel) as client:
        await take(client, hotel, event)
    assert records(hotel, event) == [WEEK]
