"""A process begins once: in one style, with one content, and with its record."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import combinations, permutations

import pytest

from chassis.composing import Ports
from chassis.errors import Rejected
from chassis.messages import Message
from chassis.saga import Choreography, Hybrid, HybridWorkflow, Orchestration, Saga, Style
from chassis.saga.runner import Runner, start_event
from chassis.service import Service
from chassis.settings import ServiceSettings
from testkit import running
from testkit.sagas import example, violations
from testkit.simulation import Check, Simulation, World, schedules
from testkit.simulation.sagas import ENDLESS, Participant, Script
from testkit.simulation.sagas.proof import INITIATOR, Run
from testkit.trip_service import Trips
from testkit.trips import TRIP, TRIP_ID, TripRequested, say

SEED = int(os.environ.get("SEED", "0"))

Runs = Callable[[Saga], Runner]


class PublishesFirst(Choreography):
    """It publishes what starts a process before its record is committed."""

    async def begin(self, started: Message) -> None:
        await self._publish([start_event(self._service, self.saga, started)])
        await super().begin(started)


class StartsFirst(Orchestration):
    """It starts a workflow before the record of its process is committed."""

    async def begin(self, started: Message) -> None:
        data = started.model_dump(mode="json")
        await self._launch(started.subject, data, None)
        await super().begin(started)


def begun_twice(first: Runs, second: Runs, delay: float | None) -> Simulation:
    """One process, begun in two styles by two clients."""
    script = Script()
    runners = first(TRIP), second(TRIP)

    def initiator(ports: Ports) -> Service:
        settings = ServiceSettings(app_id=INITIATOR, step_timeout=ENDLESS)
        service = Service(settings, title=INITIATOR, ports=ports)
        service.sagas.run(*runners)
        return service

    def play(world: World) -> Check:
        script.clear()
        started = example(TRIP.started_by, seed=0)
        run, other = (Run(world, TRIP, each.style, INITIATOR) for each in runners)
        run.begin(started, is_patient=world.pick((True, False)))
        if delay is None:
            other.begin(started, is_patient=world.pick((True, False)))
        else:
            world.later(delay, lambda: other.begin(started))

        def check() -> list[str]:
            run.sweep()
            return violations(TRIP, run.evidence(in_order=True))

        return check

    at = sorted({step.at for step in TRIP.steps})
    participants = [Participant(TRIP, each, script).compose for each in at]
    return Simulation([initiator, *participants], play, workflows=True)


STYLES: Sequence[Runs] = (Choreography, Orchestration, Hybrid)


@pytest.mark.parametrize("delay", [None, 0.05])
@pytest.mark.parametrize(
    ("first", "second"), [*permutations(STYLES, 2), (HybridWorkflow, Orchestration)]
)
def test_what_is_begun_in_two_styles_at_once_runs_in_one(
    first: Runs, second: Runs, delay: float | None
) -> None:
    print(f"seed {SEED}")
    begun_twice(first, second, delay).explore(schedules(5), SEED)


@pytest.mark.parametrize(
    ("first", "second"), [(PublishesFirst, Hybrid), (StartsFirst, Choreography)]
)
def test_what_is_launched_before_it_is_recorded_runs_twice(first: Runs, second: Runs) -> None:
    simulation = begun_twice(first, second, None)
    assert any(
        violation.startswith("S5")
        for seed in range(50)
        for violation in simulation.seeded(seed).violations
    )


@pytest.fixture
async def trips() -> AsyncIterator[Trips]:
    trips = Trips()
    trips.sagas.run(Choreography(TRIP), Orchestration(TRIP), Hybrid(TRIP))
    async with running(trips):
        yield trips


def launched(trips: Trips) -> set[Style]:
    """The styles of which anything has left the service."""
    seen = {
        Style.CHOREOGRAPHY: trips.sent("trip-requested"),
        Style.ORCHESTRATION: trips.engine.begun,
        Style.HYBRID: trips.sent("book-room"),
    }
    return {style for style, each in seen.items() if each}


@pytest.mark.parametrize(("first", "second"), list(permutations(Style, 2)))
async def test_a_process_stays_in_its_style_when_it_is_begun_in_another(
    trips: Trips, first: Style, second: Style
) -> None:
    for style in (first, second):
        await trips.sagas.begin(TRIP, style, say(TRIP.started_by))
    assert launched(trips) == {first}
    progress = trips.progress()
    assert progress is not None
    assert progress.style is first


@pytest.mark.parametrize(("first", "second"), list(permutations(Style, 2)))
async def test_of_two_beginnings_at_once_one_is_launched(
    trips: Trips, first: Style, second: Style
) -> None:
    beginnings = (trips.sagas.begin(TRIP, each, say(TRIP.started_by)) for each in (first, second))
    await asyncio.gather(*beginnings)
    progress = trips.progress()
    assert progress is not None
    assert launched(trips) == {progress.style}


OTHER = TripRequested(trip=TRIP_ID, guest="ada", nights=9)


@pytest.mark.parametrize("second", Style)
@pytest.mark.parametrize("first", Style)
async def test_a_beginning_with_other_content_is_refused(
    trips: Trips, first: Style, second: Style
) -> None:
    await trips.sagas.begin(TRIP, first, say(TRIP.started_by))
    with pytest.raises(Rejected, match="has begun with other content, which stands"):
        await trips.sagas.begin(TRIP, second, OTHER)
    assert launched(trips) == {first}


@pytest.mark.parametrize(("first", "second"), list(combinations(Style, 2)))
async def test_of_two_contents_at_once_one_is_refused(
    trips: Trips, first: Style, second: Style
) -> None:
    one, other = await asyncio.gather(
        trips.sagas.begin(TRIP, first, say(TRIP.started_by)),
        trips.sagas.begin(TRIP, second, OTHER),
        return_exceptions=True,
    )
    assert sorted(map(type, (one, other)), key=str) == sorted((type(None), Rejected), key=str)
    assert len(launched(trips)) == 1
