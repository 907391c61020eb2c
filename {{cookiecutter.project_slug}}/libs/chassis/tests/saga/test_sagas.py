import pytest

from chassis.saga import Choreography, Hybrid, HybridWorkflow, Orchestration, Saga, Style
from chassis.unfinished import Page
from testkit import running
from testkit.trip_service import Trips
from testkit.trips import TOUR, TRIP, TRIP_ID, say


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
    trips.sagas.run(Choreography(TRIP), Hybrid(TOUR))
    with pytest.raises(
        LookupError,
        match="trips does not run trip-requested as hybrid: it runs trip-requested as "
        "choreography, tour-requested as hybrid",
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


async def test_what_has_begun_is_listed_as_unfinished(trips: Trips) -> None:
    trips.sagas.run(Hybrid(TRIP))
    async with running(trips):
        await trips.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by))
    page = trips.memory.get(trips.sagas.unfinished.key, Page) or []
    assert [key for key, _ in page] == [f"process:trip-requested:{TRIP_ID}"]
