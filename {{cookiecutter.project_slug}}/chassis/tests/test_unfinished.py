import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from uuid import uuid4

import pytest

from chassis import unfinished as module
from chassis.cloudevents import envelope
from chassis.errors import StaleWrite, Unavailable
from chassis.handlers import Step, step
from chassis.inbox import Inbox
from chassis.ports import Stored, Write
from chassis.processor import Processor
from chassis.saga import Choreography
from chassis.testing import MemoryBroker, MemoryStore, running
from chassis.testing.bank import Deposit
from chassis.testing.trip_service import Trips
from chassis.testing.trips import TRIP
from chassis.transaction import Transaction
from chassis.unfinished import DIRECTORY, PAGE, SWEPT, Names, Page, Unfinished


class Clock:
    """The time, so many seconds ahead."""

    ahead = 0.0

    monotonic = staticmethod(time.monotonic)

    def time(self) -> float:
        return time.time() + self.ahead


def replica() -> Unfinished:
    """A trip has ended when its record is "over"."""
    return Unfinished(lambda id: f"trip:{id}", str, lambda record: record == "over")


@pytest.fixture
def unfinished() -> Unfinished:
    return replica()


@pytest.fixture(autouse=True)
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sweep relies on one that was made a moment ago."""
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def beginning(unfinished: Unfinished) -> Step:
    async def begin(trip: Deposit, tx: Transaction) -> None:
        key = f"trip:{trip.account}"
        if await tx.get(key, str) is None:
            await unfinished.add(trip.account, tx)
            tx.put(key, "on its way")

    return step(begin, Deposit)


async def begin(store: MemoryStore, unfinished: Unfinished, *ids: str) -> None:
    """All of them together, as one group."""
    processor = Processor(store, MemoryBroker(), Inbox("trips", ttl_seconds=60))
    processor.start()
    beginnings = beginning(unfinished)
    events = [
        envelope(Deposit(account=id), id=str(uuid4()), source="test", traceparent=None)
        for id in ids
    ]
    await asyncio.gather(*(processor.process(event, beginnings) for event in events))
    await processor.stop()


def end(store: MemoryStore, *ids: str) -> None:
    for id in ids:
        store.put(f"trip:{id}", "over")


def listed(store: MemoryStore) -> list[str]:
    """The ids on all pages that the directory names."""
    pages = [store.get(f"unfinished:{name}", Page) for name in store.get(DIRECTORY, Names) or []]
    return sorted(id for page in pages for id, _ in page or [])


def ids(count: int) -> list[str]:
    return [f"{number:04}" for number in range(count)]


async def test_what_begins_is_listed_once(store: MemoryStore, unfinished: Unfinished) -> None:
    for _ in range(2):
        await begin(store, unfinished, *ids(PAGE + 1))
    assert listed(store) == ids(PAGE + 1)
    assert len(store.get(DIRECTORY, Names) or []) == 2


async def test_a_group_of_beginnings_is_one_transaction(
    store: MemoryStore, unfinished: Unfinished
) -> None:
    await begin(store, unfinished, *ids(10))
    assert len(store.commits) == 1


async def test_what_has_begun_on_several_replicas_is_listed(store: MemoryStore) -> None:
    for id in ids(6):
        await begin(store, replica(), id)
    assert listed(store) == ids(6)


async def test_what_has_ended_is_listed_no_more(store: MemoryStore, unfinished: Unfinished) -> None:
    await begin(store, unfinished, *ids(2 * PAGE))
    end(store, *ids(2 * PAGE - 1))
    await replica().sweep(store)
    assert "0099" in listed(store)
    end(store, "0099")
    await replica().sweep(store)
    assert listed(store) == []
    assert store.table.keys("unfinished:") == [SWEPT]


async def test_what_is_swept_away_while_it_is_idle_begins_again(
    store: MemoryStore, unfinished: Unfinished
) -> None:
    await begin(store, unfinished, "1")
    end(store, "1")
    await unfinished.sweep(store)
    await begin(store, unfinished, "2")
    assert listed(store) == ["2"]


async def test_a_long_page_with_few_that_have_not_ended_is_shortened(
    store: MemoryStore, unfinished: Unfinished
) -> None:
    await begin(store, unfinished, *ids(PAGE + 1))
    end(store, *ids(PAGE - 1))
    await unfinished.sweep(store)
    assert listed(store) == ids(PAGE + 1)[-2:]


async def test_what_has_no_record_any_more_is_taken_for_ended(
    store: MemoryStore, unfinished: Unfinished
) -> None:
    await begin(store, unfinished, "1")
    record = (await store.read(["trip:1"]))["trip:1"]
    await store.commit([Write("trip:1", None, record.etag)])
    await unfinished.sweep(store)
    assert listed(store) == []


@pytest.mark.parametrize(("lost_races", "left"), [(1, ["3"]), (5, ["1", "2", "3"])])
async def test_a_sweep_that_loses_races_loses_nothing_else(
    store: MemoryStore, unfinished: Unfinished, lost_races: int, left: list[str]
) -> None:
    await begin(store, unfinished, "1", "2")
    end(store, "1", "2")
    store.failures = [StaleWrite("lost")] * lost_races
    await unfinished.sweep(store)
    store.failures = []
    await begin(store, unfinished, "3")
    assert listed(store) == left
    assert unfinished.age == 0


async def test_the_list_has_an_end(
    store: MemoryStore, unfinished: Unfinished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PAGES", 2)
    await begin(store, unfinished, *ids(10 * PAGE))
    assert listed(store) == ids(10 * PAGE)[: 2 * PAGE]


async def test_the_age_is_that_of_the_oldest_one_that_has_not_ended(
    store: MemoryStore, unfinished: Unfinished, clock: Clock
) -> None:
    assert unfinished.age == 0
    for id in ids(3):
        await begin(store, unfinished, id)
    clock.ahead = 100
    await unfinished.sweep(store)
    assert 100 <= unfinished.age < 110

    end(store, *ids(3))
    await unfinished.sweep(store)
    assert unfinished.age == 0


async def test_a_sweep_that_takes_too_long_shows_the_oldest_that_it_has_seen(
    store: MemoryStore, unfinished: Unfinished, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begin(store, unfinished, *ids(3 * PAGE))
    clock.ahead = 100
    # Every look at the clock takes 15 s.
    later = itertools.count(0, 15)
    monkeypatch.setattr(clock, "monotonic", lambda: next(later))
    store.reads.clear()
    await unfinished.sweep(store)
    assert unfinished.age >= 100
    assert sum(any(key.startswith("trip:") for key in keys) for keys in store.reads) == 1


async def test_a_process_that_starts_again_knows_the_age(
    store: MemoryStore, unfinished: Unfinished, clock: Clock
) -> None:
    await begin(store, unfinished, "1")
    clock.ahead = 100
    restarted = replica()
    await restarted.sweep(store)
    assert restarted.age >= 100


async def test_a_replica_takes_the_age_from_the_one_that_has_just_swept(
    store: MemoryStore, unfinished: Unfinished, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP_SECONDS", 30)
    await begin(store, unfinished, "1")
    clock.ahead = 100
    await unfinished.sweep(store)
    before = len(store.reads)
    other = replica()
    await other.sweep(store)
    assert len(store.reads) == before + 1
    assert other.age >= 100

    clock.ahead = 130
    end(store, "1")
    await other.sweep(store)
    assert other.age == 0


async def test_the_age_is_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    swept = asyncio.Event()

    async def sweep(*_: object) -> None:
        swept.set()

    monkeypatch.setattr(Unfinished, "sweep", sweep)
    monkeypatch.setattr(Unfinished, "age", 42.0)
    trips = Trips()
    trips.sagas.run(Choreography(TRIP))
    async with running(trips) as client, asyncio.timeout(5):
        await swept.wait()
        page = (await client.get("/metrics")).text
    assert "\nunfinished_process_age_seconds 42.0" in page


async def test_the_age_is_watched_however_often_the_store_is_away(
    store: MemoryStore, unfinished: Unfinished, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = asyncio.Semaphore(0)

    async def away(_: Sequence[str]) -> Mapping[str, Stored]:
        calls.release()
        raise [Unavailable("the store is away"), KeyError("a bug")][calls._value % 2]

    monkeypatch.setattr(store, "read", away)
    watching = asyncio.create_task(unfinished.watch(store))
    async with asyncio.timeout(5):
        for _ in range(3):
            await calls.acquire()
    watching.cancel()
