"""What failed and may succeed later is kept, acknowledged, and tried again by the service."""

import asyncio
import gc
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client import REGISTRY

from chassis.budget import ByteBudget
from chassis.cloudevents import envelope
from chassis.deadletters import DeadLetter, retries
from chassis.deadletters.letter import Kind, Summary, letter_id
from chassis.deadletters.pages import DIRECTORY, PAGE_SIZE, letter_key, page_key
from chassis.errors import Rejected, Unavailable
from chassis.handlers import Handlers
from chassis.inbox import InboxRecord, inbox_key
from chassis.ports import CLOCK, Stored
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.transaction import Transaction
from testkit import MemoryBroker, MemoryStore, memory_ports, running
from testkit.bank import Deposit, Deposited, deposit

EVENT = envelope(Deposit(amount=5), id="1", source="test", traceparent=None)


class Handler:
    """Fails while there is a cause, and hangs while a test says so."""

    def __init__(self) -> None:
        self.cause: Exception | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.runs = 0

    @property
    def handlers(self) -> Handlers:
        handlers = Handlers()
        handlers.on(Deposit)(self.handle)
        return handlers

    async def handle(self, asked: Deposit, tx: Transaction) -> Deposited:
        self.runs += 1
        await self.may_go_on.wait()
        if self.cause is not None:
            raise self.cause
        return await deposit(asked, tx)

    async def is_running(self) -> bool:
        return self.runs == 1

    async def runs_apart(self) -> bool:
        return self.runs == 2


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def settings(settings: ServiceSettings) -> ServiceSettings:
    limits = {"retry_seconds": 0.2, "unknown_retry_seconds": 0.1}
    return settings.model_copy(update=limits)


def compose(
    settings: ServiceSettings, store: MemoryStore, broker: MemoryBroker, handler: Handler
) -> Service:
    service = Service(settings, title="Bank", ports=memory_ports(store=store, broker=broker))
    service.subscribe(handler.handlers)
    pause(service, 0.01)
    return service


def pause(service: Service, seconds: float) -> None:
    retries = service.subscriptions.retries
    retries.first_pause = retries.longest_pause = seconds


@pytest.fixture
def service(
    settings: ServiceSettings, store: MemoryStore, broker: MemoryBroker, handler: Handler
) -> Service:
    return compose(settings, store, broker, handler)


async def deliver(client: httpx.AsyncClient, *raws: bytes) -> list[str]:
    entries = [{"entryId": str(n), "event": b64encode(raw).decode()} for n, raw in enumerate(raws)]
    response = await client.post("/events/deposit", json={"entries": entries})
    return [status["status"] for status in response.json()["statuses"]]


async def letters(service: Service) -> list[Summary]:
    return list((await service.dead_letters.page(None)).letters)


def letter_of(raw: bytes, kind: Kind = "retrying") -> DeadLetter:
    return DeadLetter.of(
        raw, topic="deposit", kind=kind, cause="", attempts=1, arrived_at=CLOCK.now()
    )


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def settled(service: Service) -> list[Summary]:
    """The letters once nothing is tried any more."""
    await until(lambda: _none_is_retrying(service))
    return await letters(service)


async def _none_is_retrying(service: Service) -> bool:
    return all(letter.kind != "retrying" for letter in await letters(service))


@asynccontextmanager
async def delivered(service: Service, raw: bytes = EVENT.on_the_wire()) -> AsyncIterator[None]:
    async with running(service) as client:
        assert await deliver(client, raw) == ["SUCCESS"]
        yield


@pytest.mark.parametrize("cause", [Unavailable("away"), ConnectionError("gone"), ValueError("bug")])
async def test_a_message_that_failed_is_tried_again_until_it_succeeds(
    service: Service, handler: Handler, store: MemoryStore, cause: Exception
) -> None:
    handler.cause = cause
    async with delivered(service):
        (letter,) = await letters(service)
        assert (letter.kind, str(cause) in letter.cause) == ("retrying", True)
        assert REGISTRY.get_sample_value("retrying_messages") == 1
        handler.cause = None
        assert await settled(service) == []
    assert REGISTRY.get_sample_value("retrying_messages") == 0
    assert store.get("ada", int) == 5


@pytest.mark.parametrize(
    ("cause", "kind"), [(Unavailable("away"), "exhausted"), (ValueError("bug"), "unknown")]
)
async def test_what_fails_for_too_long_becomes_a_dead_letter_that_says_what_it_was(
    service: Service, handler: Handler, cause: Exception, kind: str
) -> None:
    handler.cause = cause
    async with delivered(service):
        (letter,) = await settled(service)
    assert (letter.kind, letter.attempts) == (kind, handler.runs)
    assert str(cause) in letter.cause


async def test_a_letter_says_how_often_its_message_was_tried_and_why_not_done(
    service: Service, handler: Handler, settings: ServiceSettings, store: MemoryStore
) -> None:
    settings.retry_seconds = 3600
    handler.cause = Unavailable("away")
    async with delivered(service):
        handler.cause = Unavailable("still away")
        await until(lambda: _runs(handler, 20))
        (letter,) = await letters(service)
        assert (letter.kind, letter.attempts >= 9) == ("retrying", True)
        assert letter.cause == "still away"
        written = [write.key for writes in store.commits for write in writes]
        assert written.count(letter_key(letter.id)) <= 6


async def test_what_waits_for_room_is_not_given_up(
    settings: ServiceSettings,
    store: MemoryStore,
    broker: MemoryBroker,
) -> None:
    bank = compose(settings, store, broker, handler := Handler())
    bank.processor.group_seconds = 0.01
    bank.processor.max_slow = 1
    handler.may_go_on.clear()
    second = envelope(Deposit(amount=5), id="2", source="test", traceparent=None)
    async with running(bank) as client:
        slow = asyncio.create_task(deliver(client, EVENT.on_the_wire()))
        await until(handler.runs_apart)
        assert await deliver(client, second.on_the_wire()) == ["SUCCESS"]
        await until(lambda: _has_waited_too_long(bank))
        handler.may_go_on.set()
        assert await slow == ["SUCCESS"]
        assert await settled(bank) == []
    assert store.get("ada", int) == 10


async def test_what_waits_for_room_in_memory_is_not_given_up(
    settings: ServiceSettings,
    store: MemoryStore,
    broker: MemoryBroker,
    handler: Handler,
) -> None:
    bank = compose(settings, store, broker, handler)
    bank.subscriptions.handled = ByteBudget(1, wait_seconds=0.01)
    handler.may_go_on.clear()
    second = envelope(Deposit(amount=5), id="2", source="test", traceparent=None)
    async with running(bank) as client:
        slow = asyncio.create_task(deliver(client, EVENT.on_the_wire()))
        await until(handler.is_running)
        assert await deliver(client, second.on_the_wire()) == ["SUCCESS"]
        await until(lambda: _has_waited_too_long(bank))
        handler.may_go_on.set()
        assert await slow == ["SUCCESS"]
        assert await settled(bank) == []
    assert store.get("ada", int) == 10


async def test_large_messages_that_hang_hold_back_no_small_one(
    settings: ServiceSettings,
    store: MemoryStore,
    broker: MemoryBroker,
) -> None:
    hang = asyncio.Event()

    async def hanging(asked: Deposit, tx: Transaction) -> Deposited:
        if asked.account.startswith("hung"):
            await hang.wait()
        return await deposit(asked, tx)

    handlers = Handlers()
    handlers.on(Deposit)(hanging)
    bank = Service(settings, title="Bank", ports=memory_ports(store=store, broker=broker))
    bank.processor.group_seconds = 0.01
    bank.subscriptions.slow_seconds = 60
    pause(bank, 0.01)
    bank.subscribe(handlers)
    large = [
        envelope(Deposit(account=f"hung-{n}"), id=f"hung-{n}", source="test", traceparent=None)
        for n in range(9)
    ]
    async with running(bank) as client, asyncio.timeout(30):
        raws = [each.on_the_wire() + b" " * 250_000 for each in large]
        hung = [asyncio.create_task(deliver(client, raw)) for raw in raws]
        assert await deliver(client, EVENT.on_the_wire()) == ["SUCCESS"]
        assert store.get("ada", int) == 5
        # For these there is no room among the slow ones: they are tried again.
        await until(lambda: _has_letters(bank, 5))
        hang.set()
        await asyncio.gather(*hung)
        assert await settled(bank) == []


async def _has_letters(service: Service, number: int) -> bool:
    return len(await letters(service)) == number


async def _has_waited_too_long(service: Service) -> bool:
    return any(
        datetime.now(UTC) - letter.arrived_at > timedelta(seconds=0.3)
        for letter in await letters(service)
    )


async def test_a_message_that_turns_out_to_be_hopeless_becomes_a_dead_letter_at_once(
    service: Service, handler: Handler
) -> None:
    handler.cause = Unavailable("away")
    async with delivered(service):
        handler.cause = Rejected("never")
        (letter,) = await settled(service)
    assert (letter.kind, letter.cause) == ("permanent", "never")


async def test_outcomes_that_could_not_be_published_are_sent_however_long_it_takes(
    service: Service, broker: MemoryBroker, store: MemoryStore, settings: ServiceSettings
) -> None:
    broker.failures = [Unavailable("no broker") for _ in range(50)]
    async with delivered(service):
        assert await settled(service) == []
    assert len(broker.published["deposited"]) == 1
    assert store.get("ada", int) == 5


async def test_a_delivery_does_not_wait_for_its_slowest_message(
    service: Service,
    handler: Handler,
    store: MemoryStore,
) -> None:
    service.subscriptions.slow_seconds = 0.05
    handler.may_go_on.clear()
    async with delivered(service):
        (letter,) = await letters(service)
        assert (letter.kind, letter.attempts) == ("retrying", 0)
        handler.may_go_on.set()
        assert await settled(service) == []
    assert store.get("ada", int) == 5


async def test_a_message_that_is_delivered_again_meanwhile_is_not_tried_twice_at_a_time(
    service: Service, handler: Handler
) -> None:
    handler.cause = Unavailable("away")
    async with running(service) as client:
        for _ in range(3):
            assert await deliver(client, EVENT.on_the_wire()) == ["SUCCESS"]
        assert len(await letters(service)) == 1
        assert len(service.subscriptions.retries) == 1


async def test_after_a_crash_the_next_process_goes_on_with_what_was_kept(
    settings: ServiceSettings,
    store: MemoryStore,
    broker: MemoryBroker,
    service: Service,
    handler: Handler,
) -> None:
    handler.cause = Unavailable("away")
    async with delivered(service):
        pass
    handler.cause = None
    successor = compose(settings, store, broker, handler)
    async with running(successor):
        assert await settled(successor) == []
    assert store.get("ada", int) == 5


class ListedStore(MemoryStore):
    """Notes which pages of letters are read."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[str] = []

    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        self.pages += [key for key in keys if key.startswith("dead-letters:page:")]
        return await super().read(keys)


async def test_who_looks_for_what_is_to_be_tried_again_reads_no_other_pages(
    settings: ServiceSettings, broker: MemoryBroker
) -> None:
    store = ListedStore()
    bank = compose(settings, store, broker, Handler())
    bank.start()
    for n in range(2 * PAGE_SIZE):
        dead = letter_of(b"%d" % n, "unknown")
        await bank.dead_letters.keep(dead)
    raw = EVENT.on_the_wire()
    letter = letter_of(raw)
    await bank.dead_letters.keep(letter)
    store.pages.clear()
    assert [each.id async for each in bank.dead_letters.retrying()] == [letter.id]
    assert store.pages == [page_key(2)]
    await bank.dead_letters.amend(letter.model_copy(update={"kind": "exhausted"}))
    store.pages.clear()
    assert [each async for each in bank.dead_letters.retrying()] == []
    assert store.pages == []


async def test_a_directory_of_before_is_read_page_by_page(
    service: Service, handler: Handler, store: MemoryStore
) -> None:
    pause(service, 60)
    handler.cause = Unavailable("away")
    async with delivered(service):
        store.put(DIRECTORY, {"pages": [0], "count": 1})
        assert len([each async for each in service.dead_letters.retrying()]) == 1


class Drawn:
    """Draws the lowest each time, and keeps between what."""

    def __init__(self) -> None:
        self.between: list[tuple[float, float]] = []

    def uniform(self, low: float, high: float, /) -> float:
        self.between.append((low, high))
        return low


async def test_what_failed_together_is_not_tried_again_together(
    settings: ServiceSettings, handler: Handler
) -> None:
    drawn = Drawn()
    service = Service(settings, title="Bank", ports=memory_ports(random=drawn))
    service.subscribe(handler.handlers)
    pause(service, 0.01)
    handler.cause = Unavailable("away")
    async with delivered(service):
        await until(lambda: _runs(handler, 2))
    assert (0.005, 0.01) in drawn.between


async def test_a_kept_message_that_cannot_be_read_keeps_no_other_from_being_resumed(
    settings: ServiceSettings, store: MemoryStore, broker: MemoryBroker
) -> None:
    raw = EVENT.on_the_wire()
    bank = compose(settings, store, broker, Handler())
    bank.start()
    for each in (b"of another version", raw):
        letter = letter_of(each)
        await bank.dead_letters.keep(letter)
    store.put(letter_key(letter_id(b"of another version")), {"kind": "of another version"})
    async with running(bank):
        await until(lambda: _is_deposited(store))


async def _is_deposited(store: MemoryStore) -> bool:
    return store.get("ada", int) == 5


async def test_a_list_of_letters_that_cannot_be_read_holds_back_no_healthy_message(
    service: Service, handler: Handler, store: MemoryStore
) -> None:
    handler.cause = Unavailable("away")
    async with running(service) as client:
        store.put(DIRECTORY, "of another version")
        assert await deliver(client, EVENT.on_the_wire()) == ["RETRY"]
        handler.cause = None
        assert await deliver(client, EVENT.on_the_wire()) == ["SUCCESS"]


async def test_what_failed_is_kept_without_a_wait_for_what_is_slow(
    settings: ServiceSettings,
    store: MemoryStore,
    broker: MemoryBroker,
    handler: Handler,
) -> None:
    settings = settings.model_copy(update={"handler_timeout_seconds": 60})
    bank = compose(settings, store, broker, handler)
    bank.processor.group_seconds = 60
    handler.may_go_on.clear()
    async with running(bank) as client:
        slow = asyncio.create_task(deliver(client, EVENT.on_the_wire()))
        await until(handler.is_running)
        async with asyncio.timeout(5):
            assert await deliver(client, b"no event") == ["SUCCESS"]
        handler.may_go_on.set()
        assert await slow == ["SUCCESS"]


async def test_what_fails_in_one_delivery_is_kept_in_one_commit(
    service: Service, handler: Handler, store: MemoryStore
) -> None:
    pause(service, 60)
    handler.cause = Unavailable("away")
    messages = [envelope(Deposit(), id=str(n), source="test", traceparent=None) for n in range(9)]
    async with running(service) as client:
        raws = [message.on_the_wire() for message in messages]
        assert await deliver(client, *raws) == ["SUCCESS"] * 9
    assert len(store.commits) == 1


async def test_what_was_discarded_while_it_was_tried_does_not_come_back(
    service: Service, handler: Handler, settings: ServiceSettings
) -> None:
    handler.cause = ValueError("bug")
    async with delivered(service):
        (letter,) = await letters(service)
        # In the middle of its last attempt, so that it is given up afterwards.
        settings.unknown_retry_seconds = 1e-9
        handler.may_go_on.clear()
        tried = handler.runs
        await until(lambda: _runs(handler, tried + 1))
        kept = await service.dead_letters.find(letter.id)
        assert kept is not None
        await service.dead_letters.discard(kept, "a test", "ada")
        handler.may_go_on.set()
        await until(lambda: _tries_none(service))
        assert await letters(service) == []


async def test_what_was_replayed_in_vain_is_not_tried_any_more(
    service: Service, handler: Handler, settings: ServiceSettings
) -> None:
    settings.unknown_retry_seconds = 3600
    handler.cause = ValueError("bug")
    async with delivered(service):
        kept = await service.dead_letters.find(letter_id(EVENT.on_the_wire()))
        assert kept is not None
        with pytest.raises(Rejected, match="failed again"):
            await service.dead_letters.replay(kept, service.subscriptions.handle)
        await until(lambda: _tries_none(service))
        (letter,) = await letters(service)
        assert letter.kind == "unknown"


async def _runs(handler: Handler, times: int) -> bool:
    return handler.runs >= times


async def _tries_none(service: Service) -> bool:
    return len(service.subscriptions.retries) == 0


async def test_what_is_tried_again_waits_in_the_store_and_not_in_memory(
    service: Service, handler: Handler
) -> None:
    pause(service, 60)
    handler.cause = Unavailable("away")
    async with delivered(service):
        assert len(await letters(service)) == 1
        held = [each for each in gc.get_objects() if isinstance(each, DeadLetter)]
        assert [letter.payload for letter in held] == [""]


async def test_the_record_of_a_message_that_was_done_lasts_as_long_as_its_letter(
    service: Service, broker: MemoryBroker, store: MemoryStore
) -> None:
    broker.failures = [Unavailable("no broker")]
    key = inbox_key(EVENT)
    async with delivered(service):
        assert await settled(service) == []
    kept = [write.ttl_seconds for writes in store.commits for write in writes if write.key == key]
    assert kept == [service.settings.inbox_ttl_seconds, None, service.settings.inbox_ttl_seconds]
    assert store.get(key, InboxRecord) is not None
    assert await service.dead_letters.find(letter_id(EVENT.on_the_wire())) is None


async def test_the_time_that_nobody_tried_a_kept_message_does_not_count(
    settings: ServiceSettings,
    store: MemoryStore,
    broker: MemoryBroker,
    service: Service,
    handler: Handler,
) -> None:
    handler.cause = Unavailable("away")
    async with delivered(service):
        pass
    await asyncio.sleep(2 * settings.retry_seconds)
    successor = compose(settings, store, broker, handler)
    async with running(successor):
        async with asyncio.timeout(5):
            while handler.runs < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        handler.cause = None
        assert await settled(successor) == []


async def test_a_message_that_ends_each_process_that_tries_it_becomes_a_dead_letter(
    settings: ServiceSettings, store: MemoryStore, broker: MemoryBroker, handler: Handler
) -> None:
    handler.cause = Unavailable("away")
    async with delivered(compose(settings, store, broker, handler)):
        pass
    # From now on each process ends in the middle of its attempt, which its stop waits for.
    handler.may_go_on.clear()
    settings = settings.model_copy(update={"handler_timeout_seconds": 0.5})
    for _ in range(retries.MAX_ADOPTIONS):
        runs = handler.runs
        async with running(compose(settings, store, broker, handler)), asyncio.timeout(5):
            while handler.runs == runs:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    last = compose(settings, store, broker, handler)
    async with running(last):
        (letter,) = await settled(last)
    assert (letter.kind, "processes ended" in letter.cause) == ("unknown", True)
