"""Workflows on the SDK's executor and the simulated engine: what daprd would do, in no time."""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from chassis import envelope
from testkit import parcels
from testkit.parcels import Delivered, Parcel
from testkit.simulation import Broken, Check, Run, Simulation, World
from testkit.simulation.engine import Instance, NoSuchInstance
from testkit.simulation.faults import Fault
from testkit.simulation.process import Process
from testkit.simulation.sdk import Action

Ended = dict[str, Instance]


class Playing:
    """One workflow, and how it ended."""

    def __init__(self, workflow: Any, parcel: Parcel, signed_after: float | None = None) -> None:
        self._workflow, self._parcel, self._signed_after = workflow, parcel, signed_after
        self.simulation = Simulation([parcels.compose], self._scenario)
        self.instances: Ended = {}

    def replay(self) -> Run:
        return self.simulation.replay([])

    @property
    def end(self) -> Action:
        end = self.instances[self._parcel.id].end
        assert end is not None
        return end

    @property
    def delivered(self) -> Delivered:
        return Delivered.model_validate_json(self.end.content or "")

    def _scenario(self, world: World) -> Check:
        parcels.attempts.clear()

        async def begin(process: Process) -> None:
            host = process.service.workflows
            await host.begin(self._workflow, self._parcel.id, self._parcel)

        world.request("parcels", "begin", begin)

        def sign() -> None:
            # It may not have begun yet, or not at all.
            with suppress(NoSuchInstance):
                world.engine.raise_event("parcels", self._parcel.id, "signed", {})

        if self._signed_after is not None:
            world.later(self._signed_after, sign)

        def check() -> list[str]:
            self.instances = {id: each for (_, id), each in world.engine.instances.items()}
            end = self.instances[self._parcel.id].end
            return [] if end and end.status == "COMPLETED" else [f"end: {end}"]

        return check


def test_retries_wait_longer_each_time_on_the_virtual_clock() -> None:
    play = Playing(parcels.deliver, Parcel(id="1", failures=3))
    play.replay()
    assert parcels.attempts == {"1": 4}
    assert play.delivered.waited == pytest.approx(0.5 + 1 + 2 + 10 + 60, abs=0.1)


def test_timeout_ends() -> None:
    play = Playing(parcels.deliver, Parcel(id="1", failures=99))
    run = play.replay()
    assert parcels.attempts == {"1": 9}
    assert play.end.status == "FAILED"
    assert run.violations


def test_a_retry_policy_of_the_sdk_gives_up() -> None:
    play = Playing(parcels.haul, Parcel(id="1", failures=99))
    play.replay()
    assert parcels.attempts == {"1": 5}
    assert play.end.status == "FAILED"


def breaks_after(fault: str, play: Playing) -> bool:
    """Whether one of some hundred schedules with this fault breaks."""
    runs = (play.simulation.seeded(seed) for seed in range(600))
    return any(run.violations and any(fault in line for line in run.story) for run in runs)


def test_a_retry_policy_alone_waits_for_ever_for_a_result_that_came_before_it_was_asked_for() -> (
    None
):
    assert breaks_after("NOT STORED", Playing(parcels.haul, Parcel(id="1", failures=1)))


def test_a_timer_wins_when_nobody_signs() -> None:
    play = Playing(parcels.deliver, Parcel(id="1"))
    play.replay()
    assert play.delivered.by == "a neighbour"


def test_an_event_that_comes_before_anybody_waits_is_kept() -> None:
    play = Playing(parcels.deliver, Parcel(id="1"), signed_after=1)
    play.replay()
    assert play.delivered.by == "the customer"


def test_continue_as_new_goes_on_with_a_short_history_and_ends_in_a_child() -> None:
    play = Playing(parcels.tour, Parcel(id="1", stops=5))
    play.replay()
    assert play.delivered.by == "a neighbour"
    assert set(play.instances) == {"1", "1-last-mile"}
    assert len(play.instances["1"].history) < 12


def test_events_survive_continue_as_new() -> None:
    seen: list[Any] = []

    def listening(ctx: Any, parcel: Parcel) -> Any:
        if parcel.stops:
            yield ctx.create_timer(timedelta(hours=1))
            left = parcel.model_copy(update={"stops": parcel.stops - 1})
            ctx.continue_as_new(left.model_dump(mode="json"), save_events=True)
        else:
            seen.append((yield ctx.wait_for_external_event("signed")))
        return parcel

    parcels.workflows.workflow(listening)
    try:
        play = Playing(listening, Parcel(id="1", stops=1), signed_after=1)
        play.replay()
    finally:
        parcels.workflows.workflows.remove(listening)
    # The SDK keeps the event, and loses a payload that is false in Python.
    assert seen == [None, None]


@pytest.mark.parametrize("workflow", [parcels.deliver, parcels.tour])
def test_workflows_end_under_every_fault(workflow: Any) -> None:
    Playing(workflow, Parcel(id="1", failures=1), signed_after=20).simulation.explore(100)


def test_a_late_response_would_fail_a_workflow_if_its_repeats_were_not_left_out() -> None:
    repeats = patch("testkit.simulation.sdk.without_repeats", list)
    with repeats:
        play = Playing(parcels.deliver, Parcel(id="1"), signed_after=20)
        assert breaks_after("LATE RESPONSE", play)


def test_a_late_response_would_leave_a_workflow_waiting_if_nobody_woke_it() -> None:
    asleep = patch("testkit.simulation.engine.SimulatedEngine._refuse", lambda *_: None)
    with asleep:
        assert breaks_after("LATE RESPONSE", Playing(parcels.tour, Parcel(id="1")))


def test_a_reply_to_a_workflow_that_is_gone_is_done_with() -> None:
    answers: list[object] = []

    def scenario(world: World) -> Check:
        reply = envelope(Parcel(id="gone"), id="1", source="test", traceparent=None)
        world.request(
            "parcels",
            "reply",
            lambda process: process.service.workflows.raise_event(reply),
            answers.append,
        )
        return lambda: []

    Simulation([parcels.compose], scenario).replay([])
    assert answers == [None]


def test_a_workflow_that_looks_at_a_clock_is_found_out() -> None:
    ticks = iter(range(10**9))

    def restless(ctx: Any, parcel: Parcel) -> Any:
        yield ctx.create_timer(timedelta(seconds=1 + next(ticks)))
        return parcel

    parcels.workflows.workflow(restless)
    try:
        with pytest.raises(Broken, match="restless is not deterministic: the same turn asked to"):
            Playing(restless, Parcel(id="1")).simulation.explore(1)
    finally:
        parcels.workflows.workflows.remove(restless)


def test_nothing_overtakes_what_came_before_a_turn_that_was_not_stored() -> None:
    def listening(ctx: Any, parcel: Parcel) -> Any:
        first = yield ctx.wait_for_external_event("signed")
        second = yield ctx.wait_for_external_event("signed")
        return parcel.model_copy(update={"id": f"{first['number']}, {second['number']}"})

    def scenario(world: World) -> Check:
        async def begin(process: Process) -> None:
            await process.service.workflows.begin(listening, "1", Parcel(id="1"))

        def sign(*numbers: int) -> None:
            if numbers:
                world.engine.raise_event("parcels", "1", "signed", {"number": numbers[0]})
                world.wait("client", "sign", (Fault.NONE,), lambda _: sign(*numbers[1:]))

        world.request("parcels", "begin", begin, lambda _: sign(10, 20))

        def check() -> list[str]:
            instance = world.engine.instances.get(("parcels", "1"))
            content = (instance.end.content or "") if instance and instance.end else ""
            return ["they came in another order"] if '"20, 10"' in content else []

        return check

    parcels.workflows.workflow(listening)
    try:
        Simulation([parcels.compose], scenario).explore(600)
    finally:
        parcels.workflows.workflows.remove(listening)
