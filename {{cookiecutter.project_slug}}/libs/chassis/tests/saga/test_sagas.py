from collections.abc import Callable
from typing import Any

import pytest

from chassis import envelope
from chassis.errors import Rejected
from chassis.handlers import step
from chassis.saga import Choreography, Hybrid, HybridWorkflow, Orchestration, Saga, Style
from chassis.saga.runner import Runner
from chassis.saga.workflow import record_reply
from chassis.transaction import Transaction
from chassis.unfinished import Page
from testkit import running
from testkit.trip_service import Trips
from testkit.trips import TOUR, TRIP, TRIP_ID, RoomBooked, say


@pytest.fixture
def trips() -> Trips:
    return Trips()


def test_a_service_runs_sagas_each_in_its_styles(trips: Trips) -> None:
    trips.sagas.run(Choreography(TRIP), Orchestration(TRIP), Hybrid(TRIP), Hybrid(TOUR))
    assert [(each.saga.name, each.style) for each in trips.sagas.runners] == [
        ("trip-requested", Style.CHOREOGRAPHY),
        ("trip-requested", Style.ORCHESTRATION),
        ("trip-requested", Style.HYBRID),
        ("tour-requested", Style.HYBRID),
    ]


def test_two_runners_of_one_style_are_refused(trips: Trips) -> None:
    trips.sagas.run(Hybrid(TRIP))
    with pytest.raises(ValueError, match="the saga trip-requested has its hybrid already"):
        trips.sagas.run(HybridWorkflow(TRIP))


def test_two_sagas_with_one_start_are_refused(trips: Trips) -> None:
    trips.sagas.run(Hybrid(TRIP))
    other = Saga(
        started_by=TRIP.started_by,
        steps=TRIP.steps,
        completed=TRIP.completed,
        cancelled=TRIP.cancelled,
    )
    with pytest.raises(ValueError, match="two sagas are started by trip-requested"):
        trips.sagas.run(Orchestration(other))


async def test_a_style_that_is_not_run_is_refused_with_those_that_are(trips: Trips) -> None:
    trips.sagas.run(Choreography(TRIP), Orchestration(TRIP), Hybrid(TOUR))
    with pytest.raises(
        Rejected,
        match="trips does not run trip-requested as hybrid: choose choreography or orchestration",
    ):
        await trips.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by))


async def test_a_service_without_sagas_says_so(trips: Trips) -> None:
    with pytest.raises(LookupError, match="it runs none"):
        await trips.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by))


async def test_the_progress_of_a_process_is_that_of_its_saga(trips: Trips) -> None:
    trips.sagas.run(Hybrid(TRIP), Hybrid(TOUR))
    async with running(trips):
        await trips.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by))
        progress = await trips.sagas.progress(TRIP, TRIP_ID)
        assert progress is not None
        assert progress.started == {"trip": TRIP_ID, "guest": "ada", "nights": 2}
        assert await trips.sagas.progress(TOUR, TRIP_ID) is None


ALL_STYLES = [Choreography, Orchestration, Hybrid]


async def test_two_sagas_run_workflows_for_one_subject(trips: Trips) -> None:
    trips.sagas.run(Orchestration(TRIP), Orchestration(TOUR))
    async with running(trips):
        for saga in (TRIP, TOUR):
            await trips.sagas.begin(saga, Style.ORCHESTRATION, say(saga.started_by))
    assert trips.engine.begun == [
        ("trip-requested-orchestration", f"trip-requested.{TRIP_ID}"),
        ("tour-requested-orchestration", f"tour-requested.{TRIP_ID}"),
    ]


async def test_a_reply_to_another_saga_keeps_no_workflow_from_beginning(trips: Trips) -> None:
    trips.sagas.run(Choreography(TRIP), Orchestration(TRIP))
    async with running(trips):
        event = envelope(say(RoomBooked), id="1", source="rooms", traceparent=None)
        await trips.deliver(event, "room-booked")
        await trips.sagas.begin(TRIP, Style.ORCHESTRATION, say(TRIP.started_by))
    assert len(trips.engine.begun) == 1


@pytest.mark.parametrize("runner", ALL_STYLES)
@pytest.mark.parametrize(
    "id", ["", "a/b", "a\\b", "a#b", "a?b", "a||b", "a\0b", "a\x1fbook-room", "\ud800", "x" * 241]
)
async def test_what_can_be_no_id_begins_in_no_style(
    trips: Trips, runner: Callable[[Saga], Runner], id: str
) -> None:
    trips.sagas.run(runner(TRIP))
    async with running(trips):
        with pytest.raises(Rejected, match=r"is no (id of a process of trip-requested: |key: )"):
            await trips.sagas.begin(TRIP, runner(TRIP).style, say(TRIP.started_by, trip=id))
    assert not trips.engine.begun
    assert not any(trips.bus.published.values())


@pytest.mark.parametrize("runner", ALL_STYLES)
@pytest.mark.parametrize("id", [" ", "ü", ".", "a|b", "x" * 240])
async def test_what_can_be_an_id_begins_in_every_style(
    trips: Trips, runner: Callable[[Saga], Runner], id: str
) -> None:
    trips.sagas.run(runner(TRIP))
    async with running(trips):
        await trips.sagas.begin(TRIP, runner(TRIP).style, say(TRIP.started_by, trip=id))
        assert await trips.sagas.progress(TRIP, id) is not None


async def test_what_has_begun_is_listed_as_unfinished(trips: Trips) -> None:
    trips.sagas.run(Hybrid(TRIP))
    async with running(trips):
        await trips.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by))
    page = trips.memory.get(trips.sagas.unfinished.key, Page) or []
    assert [key for key, _ in page] == [f"process:trip-requested:{TRIP_ID}"]


@pytest.fixture
def later(trips: Trips) -> Trips:
    """The next release, on the same store."""
    return Trips(memory=trips.memory)


async def test_a_style_that_is_not_run_any_more_is_said_once(
    trips: Trips, later: Trips, caplog: pytest.LogCaptureFixture
) -> None:
    trips.sagas.run(Hybrid(TRIP))
    async with running(trips):
        for number in range(3):
            await trips.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by, trip=str(number)))
    later.sagas.run(Orchestration(TRIP))
    later.sagas.unfinished.sweep_seconds = 0
    for _ in range(2):
        await later.sagas.unfinished.sweep(later.store, later.clock.now())
    (line,) = [each for each in caplog.messages if "stands still" in each]
    assert "of trip-requested runs as hybrid, which this release of trips does not" in line


@pytest.mark.parametrize(("engine", "other"), [(Hybrid, HybridWorkflow), (HybridWorkflow, Hybrid)])
async def test_a_process_stays_on_the_engine_on_which_it_has_begun(
    trips: Trips,
    engine: Callable[[Saga], Runner],
    other: Callable[[Saga], Runner],
    later: Trips,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trips.sagas.run(engine(TRIP))
    async with running(trips):
        await trips.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by))
    later.sagas.run(other(TRIP))
    later.sagas.unfinished.sweep_seconds = 0
    async with running(later):
        await later.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by))
        await later.reply(RoomBooked)
    for _ in range(2):
        await later.sagas.unfinished.sweep(later.store, later.clock.now())
    given = {command.id for command in trips.sent("book-room")}
    assert {command.id for command in later.sent("book-room")} <= given
    assert not later.sent("hold-deposit")
    assert not later.engine.begun
    (line,) = [each for each in caplog.messages if "stands still" in each]
    assert "runs as hybrid on its other engine, which this release of trips does not" in line


@pytest.mark.parametrize("other", [Hybrid, Choreography])
async def test_a_process_stays_in_the_style_in_which_it_has_begun(
    trips: Trips, other: Callable[[Saga], Runner]
) -> None:
    """A workflow may have a reply before its initiator has recorded its start."""
    orchestration = Orchestration(TRIP)
    trips.sagas.run(orchestration, other(TRIP))

    async def replied(reply: Any, tx: Transaction) -> None:
        await record_reply(orchestration, reply, tx)

    async with running(trips):
        event = envelope(say(RoomBooked), id="1", source="rooms", traceparent=None)
        await trips.processor.process(event, step(replied, RoomBooked))
        await trips.sagas.begin(TRIP, other(TRIP).style, say(TRIP.started_by))
    progress = trips.progress()
    assert progress is not None
    assert progress.style is Style.ORCHESTRATION
    assert not any(trips.bus.published.values())
