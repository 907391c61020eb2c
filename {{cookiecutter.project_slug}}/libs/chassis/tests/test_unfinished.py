import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from uuid import uuid4

import httpx
import pytest

from chassis.cloudevents import envelope
from chassis.errors import StaleWrite, Unavailable
from chassis.handlers import Step, step
from chassis.inbox import Inbox
from chassis.ports import CLOCK, Stored, Write
from chassis.processor import Processor
from chassis.saga import Choreography, Progress
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.transaction import Transaction
from chassis.unfinished import DIRECTORY, PAGE, SWEPT, TOGETHER, Names, Page, Unfinished
from testkit import MemoryBroker, MemoryStore, memory_ports, running
from testkit.bank import Deposit
from testkit.trips import TRIP


def replica(**options: Any) -> Unfinished:
    """A trip has ended when its record is "over". No sweep relies on one of a moment ago."""
    options = {"sweep_seconds": 0, **options}
    return Unfinished(lambda id: f"trip:{id}", str, lambda record: record == "over", **options)


def later(seconds: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.fixture
def unfinished() -> Unfinished:
    return replica()


def beginning(unfinished: Unfinished) -> Step:
    async def begin(trip: Deposit, tx: Transaction) -> None:
        key = f"trip:{trip.account}"
        if await tx.get(key, str) is None:
            await unfinished.add(trip.account, tx)
            tx.put(key, "on its way")

    return step(begin, Deposit)


async def begin(store: MemoryStore, unfinished: Unfinished, *ids: str) -> None:
    """In groups: on a busy machine, what waits for long in one group is slow."""
    processor = Processor(store, MemoryBroker(), Inbox("trips", ttl_seconds=60))
    processor.start()
    beginnings = beginning(unfinished)
    events = [
        envelope(Deposit(account=id), id=str(uuid4()), source="test", traceparent=None)
        for id in ids
    ]
    for first in range(0, len(events), PAGE):
        group = events[first : first + PAGE]
        await asyncio.gather(*(processor.process(event, beginnings) for event in group))
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
    await replica().sweep(store, later())
    assert "0099" in listed(store)
    end(store, "0099")
    await replica().sweep(store, later())
    assert listed(store) == []
    assert store.table.keys("unfinished:") == [SWEPT]


async def test_what_is_swept_away_while_it_is_idle_begins_again(
    store: MemoryStore, unfinished: Unfinished
) -> None:
    await begin(store, unfinished, "1")
    end(store, "1")
    await unfinished.sweep(store, later())
    await begin(store, unfinished, "2")
    assert listed(store) == ["2"]


async def test_a_long_page_with_few_that_have_not_ended_is_shortened(
    store: MemoryStore, unfinished: Unfinished
) -> None:
    await begin(store, unfinished, *ids(PAGE + 1))
    end(store, *ids(PAGE - 1))
    await unfinished.sweep(store, later())
    assert listed(store) == ids(PAGE + 1)[-2:]


async def test_what_has_no_record_any_more_is_taken_for_ended(
    store: MemoryStore, unfinished: Unfinished
) -> None:
    await begin(store, unfinished, "1")
    record = (await store.read(["trip:1"]))["trip:1"]
    await store.commit([Write("trip:1", None, record.etag)])
    await unfinished.sweep(store, later())
    assert listed(store) == []


@pytest.mark.parametrize(("lost_races", "left"), [(1, ["3"]), (5, ["1", "2", "3"])])
async def test_a_sweep_that_loses_races_loses_nothing_else(
    store: MemoryStore, unfinished: Unfinished, lost_races: int, left: list[str]
) -> None:
    await begin(store, unfinished, "1", "2")
    end(store, "1", "2")
    store.failures = [StaleWrite("lost")] * lost_races
    await unfinished.sweep(store, later())
    store.failures = []
    await begin(store, unfinished, "3")
    assert listed(store) == left
    assert unfinished.age(later()) == 0


async def test_what_finds_no_place_in_the_list_does_not_begin(store: MemoryStore) -> None:
    """Else nobody would look for what of it is late."""
    unfinished = replica(page=1, max_pages=2)
    await begin(store, unfinished, *ids(2))
    with pytest.raises(Unavailable, match="2 processes have not ended: no other one begins"):
        await begin(store, unfinished, "late")
    assert listed(store) == ids(2)
    assert store.get("trip:late", str) is None


async def test_the_directory_is_short_however_long_the_ids_are(store: MemoryStore) -> None:
    unfinished = replica(page=1)
    await begin(store, unfinished, *(f"{number}-{'x' * 200}" for number in range(10)))
    assert len(store.table.read([DIRECTORY])[DIRECTORY].value or b"") < 10 * 60


async def test_pages_that_are_half_empty_become_one(
    store: MemoryStore, unfinished: Unfinished
) -> None:
    """Else a few that are stuck would fill the list."""
    # The last one alone is on the open page.
    begun = ids(10 * PAGE + 1)
    await begin(store, unfinished, *begun)
    stuck = begun[:: PAGE // 2]
    end(store, *(id for id in begun if id not in stuck))
    await unfinished.sweep(store, later())
    assert listed(store) == stuck
    closed = [name for name in store.get(DIRECTORY, Names) or [] if "-" in name]
    assert len(closed) == 1
    before = len(store.commits)
    await unfinished.sweep(store, later())
    assert {write.key for writes in store.commits[before:] for write in writes} == {SWEPT}


@pytest.mark.parametrize("lost_races", range(4))
async def test_pages_become_one_at_once_or_not_at_all(
    store: MemoryStore, unfinished: Unfinished, lost_races: int
) -> None:
    await begin(store, unfinished, *ids(3 * PAGE + 1))
    end(store, *ids(3 * PAGE - 3))
    store.failures = [StaleWrite("lost")] * lost_races
    await unfinished.sweep(store, later())
    assert set(ids(3 * PAGE + 1)[-4:]) <= set(listed(store))


class Looks:
    """What each sweep looks at; each of the failures is raised by one look."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.failures: list[Exception] = []

    async def __call__(self, id: str, record: str) -> None:
        assert record == "on its way"
        if self.failures:
            raise self.failures.pop(0)
        self.ids.append(id)


async def test_each_sweep_looks_at_what_has_not_ended(store: MemoryStore) -> None:
    looks = Looks()
    unfinished = replica(look=looks)
    await begin(store, unfinished, *ids(PAGE + 2))
    end(store, "0000", "0050")
    await unfinished.sweep(store, later())
    assert sorted(looks.ids) == [id for id in ids(PAGE + 2) if id not in ("0000", "0050")]


@pytest.mark.parametrize("failure", [Unavailable("away"), TimeoutError(), KeyError("a bug")])
async def test_a_look_that_fails_keeps_no_other_one_from_being_looked_at(
    store: MemoryStore, failure: Exception
) -> None:
    looks = Looks()
    looks.failures = [failure]
    unfinished = replica(look=looks)
    await begin(store, unfinished, *ids(3))
    await unfinished.sweep(store, later())
    assert looks.ids == ["0001", "0002"]
    assert listed(store) == ids(3)


async def test_a_look_that_hangs_is_given_up_and_made_again(store: MemoryStore) -> None:
    looked: list[str] = []

    async def look(id: str, _: str) -> None:
        looked.append(id)
        if id == "0000":
            await asyncio.Event().wait()

    unfinished = replica(look=look, max_look_seconds=0)
    await begin(store, unfinished, *ids(PAGE + 2))
    for _ in range(2):
        async with asyncio.timeout(5):
            await unfinished.sweep(store, later())
    assert sorted(looked) == sorted(2 * ids(PAGE + 2))
    assert listed(store) == ids(PAGE + 2)


async def test_a_record_that_cannot_be_read_keeps_no_other_one_from_being_looked_at(
    store: MemoryStore,
) -> None:
    looks = Looks()
    unfinished = replica(look=looks)
    await begin(store, unfinished, *ids(3))
    store.put("trip:0001", ["of a later release"])
    await unfinished.sweep(store, later())
    assert looks.ids == ["0000", "0002"]
    assert listed(store) == ids(3)


async def test_of_many_thousands_each_is_looked_at_though_no_sweep_gets_to_its_end(
    store: MemoryStore,
) -> None:
    looks = Looks()
    # Whatever a sweep does is too slow: it sees one page, and the next one goes on there.
    unfinished = replica(look=looks, max_sweep_seconds=0)
    await begin(store, unfinished, *ids(5_000))
    store.reads.clear()
    for _ in range(5_000 // PAGE):
        await replica(look=looks, max_sweep_seconds=0).sweep(store, later())
    assert sorted(looks.ids) == ids(5_000)
    # Of what is stored, so much is in memory at a time.
    assert max(map(len, store.reads)) <= max(PAGE, TOGETHER)


async def test_the_age_is_that_of_a_whole_round_of_sweeps(store: MemoryStore) -> None:
    unfinished = replica(page=1, max_sweep_seconds=0)
    for id in ids(3):
        await begin(store, unfinished, id)
    for _ in range(3):
        await unfinished.sweep(store, later(100))
    assert unfinished.age(later(100)) >= 100
    end(store, *ids(3))
    for _ in range(4):
        await unfinished.sweep(store, later(100))
    assert unfinished.age(later(100)) == 0


async def test_the_age_is_that_of_the_oldest_one_that_has_not_ended(
    store: MemoryStore, unfinished: Unfinished
) -> None:
    assert unfinished.age(later()) == 0
    for id in ids(3):
        await begin(store, unfinished, id)
    await unfinished.sweep(store, later(100))
    assert 100 <= unfinished.age(later(100)) < 110

    end(store, *ids(3))
    await unfinished.sweep(store, later())
    assert unfinished.age(later()) == 0


async def test_a_process_that_starts_again_knows_the_age(
    store: MemoryStore, unfinished: Unfinished
) -> None:
    await begin(store, unfinished, "1")
    restarted = replica()
    await restarted.sweep(store, later(100))
    assert restarted.age(later(100)) >= 100


async def test_a_replica_takes_the_age_from_the_one_that_has_just_swept(
    store: MemoryStore,
) -> None:
    unfinished, other = replica(sweep_seconds=30), replica(sweep_seconds=30)
    await begin(store, unfinished, "1")
    await unfinished.sweep(store, later(100))
    before = len(store.reads)
    await other.sweep(store, later(100))
    assert len(store.reads) == before + 1
    assert other.age(later(100)) >= 100

    end(store, "1")
    await other.sweep(store, later(130))
    assert other.age(later(130)) == 0


class Ahead:
    """A clock that is so many seconds ahead."""

    def now(self) -> datetime:
        return later(4200)


async def test_a_sweep_that_takes_too_long_shows_the_oldest_that_it_has_seen(
    store: MemoryStore,
) -> None:
    unfinished = replica(max_sweep_seconds=0.2)
    await begin(store, unfinished, *ids(3 * PAGE))

    class Behind(MemoryStore):
        async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
            await asyncio.sleep(0.15)
            return await store.read(keys)

    store.reads.clear()
    await unfinished.sweep(Behind(), later(100))
    assert unfinished.age(later(100)) >= 100
    assert sum(any(key.startswith("trip:") for key in keys) for keys in store.reads) == 1


async def test_the_age_is_a_metric(settings: ServiceSettings, store: MemoryStore) -> None:
    service = Service(settings, title="Trips", ports=memory_ports(store=store, clock=Ahead()))
    service.sagas.run(Choreography(TRIP))
    unfinished = service.sagas.unfinished
    await begin(store, unfinished, "1")
    store.put("1", Progress("1"))
    async with running(service) as client, asyncio.timeout(5):
        while "\nunfinished_process_age_seconds 42" not in await metrics(client):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def metrics(client: httpx.AsyncClient) -> str:
    return (await client.get("/metrics")).text


class Away(MemoryStore):
    """A store that fails in one way, then in another, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = asyncio.Semaphore(0)
        self.errors = cycle([Unavailable("the store is away"), KeyError("a bug")])

    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        self.calls.release()
        raise next(self.errors)


class Slow(MemoryStore):
    """Each read takes its time, and it is noted how many are under way."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = asyncio.Semaphore(0)
        self.under_way = self.most = 0

    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.calls.release()
        await asyncio.sleep(0.01)
        self.under_way -= 1
        return await super().read(keys)


async def test_a_sweep_that_is_slow_is_not_overtaken_by_the_next_one(
    unfinished: Unfinished,
) -> None:
    store = Slow()
    watching = asyncio.create_task(unfinished.watch(store, CLOCK))
    async with asyncio.timeout(5):
        for _ in range(3):
            await store.calls.acquire()
    watching.cancel()
    assert store.most == 1


async def test_the_age_is_watched_however_often_the_store_is_away(unfinished: Unfinished) -> None:
    store = Away()
    watching = asyncio.create_task(unfinished.watch(store, CLOCK))
    async with asyncio.timeout(5):
        for _ in range(3):
            await store.calls.acquire()
    watching.cancel()
