"""The proof holds of sagas that nobody wrote a participant for, and breaks without each guard."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar

import pytest

from chassis.cloudevents import CloudEvent
from chassis.composing import Ports
from chassis.handlers import Handlers, returns
from chassis.inbox import Delivery, Inbox, InboxRecord, Outgoing, inbox_key
from chassis.messages import Message
from chassis.ports import Broker
from chassis.saga import Choreography, Hybrid, HybridWorkflow, Orchestration, Saga
from chassis.saga.asking import Failure
from chassis.saga.declaration import Stage, Step
from chassis.saga.manager import Manager
from chassis.saga.progress import Asked, Progress, failure
from chassis.saga.runner import Runner
from chassis.transaction import Transaction
from testkit.simulation import Changed, schedules
from testkit.simulation.sagas import ENDLESS, SHORT, Participant, proof
from testkit.trips import TOUR, TRIP, PayTrip

SEED = int(os.environ.get("SEED", "0"))
#: A guard whose absence is not noticed within so many schedules is not tested.
WITHIN = 250

Style = Callable[[Saga], Runner]

each_saga = pytest.mark.parametrize("saga", [TRIP, TOUR], ids=lambda saga: saga.name)
COMMANDING: list[Style] = [Orchestration, Hybrid, HybridWorkflow]


def breaks(
    style: Style, message: str, saga: Saga = TOUR, timeout: timedelta = ENDLESS, **altered: Any
) -> bool:
    """Whether one of the first schedules ends with this violation."""
    simulation = proof(style, saga, timeout, **altered)
    return any(
        message in violation
        for seed in range(WITHIN)
        for violation in simulation.seeded(seed).violations
    )


@each_saga
@pytest.mark.parametrize("style", [Choreography, *COMMANDING])
def test_the_invariants_of_any_saga_hold_whatever_fails(style: Style, saga: Saga) -> None:
    print(f"seed {SEED}")
    proof(style, saga).explore(schedules(20), SEED)


@each_saga
@pytest.mark.parametrize("style", COMMANDING)
def test_they_hold_though_steps_are_given_up(style: Style, saga: Saga) -> None:
    print(f"seed {SEED}")
    proof(style, saga, SHORT).explore(schedules(20), SEED)


class EndsEarly(Choreography):
    """It waits for no undo."""

    def _end(self, progress: Progress, tx: Transaction) -> Message | None:
        failed = failure(self.saga, progress)
        if failed is not None and progress.started is not None and not progress.has_ended:
            return self._records.cancel(progress, failed.name, progress.why(failed), tx)
        return super()._end(progress, tx)


@each_saga
def test_without_waiting_for_undos_a_process_ends_too_early(saga: Saga) -> None:
    assert breaks(EndsEarly, "S12", saga)


@pytest.mark.parametrize("style", COMMANDING)
def test_without_the_inbox_a_step_is_done_twice(
    monkeypatch: pytest.MonkeyPatch, style: Style
) -> None:
    get = Transaction.get

    async def forgetful(tx: Transaction, key: str, kind: Any) -> Any:
        found = await get(tx, key, kind)
        return None if kind is InboxRecord else found

    monkeypatch.setattr(Transaction, "get", forgetful)
    assert breaks(style, "S5")


class WithoutBarrier(Participant):
    def handle(self, commands: Handlers, step: Step) -> Mapping[type[Any], Any]:
        run = {step.command: commands.on(step.command)(returns(*step.replies)(self.doing(step)))}
        if step.undo is not None and step.undone is not None:
            undo = returns(step.undone)(self.undoing(step.undone))
            run[step.undo] = commands.on(step.undo)(undo)
        return run


@pytest.mark.parametrize("style", COMMANDING)
def test_without_the_barrier_what_was_undone_is_done_afterwards(style: Style) -> None:
    assert breaks(style, "S3", timeout=SHORT, participant=WithoutBarrier)


@dataclass
class Altered:
    """A broker to which a service publishes something else than it should."""

    broker: Broker
    #: None: it is not published at all.
    change: Callable[[CloudEvent], CloudEvent | None]

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        changed = [each for event in events if (each := self.change(event)) is not None]
        if changed:
            await self.broker.publish(topic, changed)


def publishing(change: Callable[[CloudEvent], CloudEvent | None]) -> Changed:
    def changed(ports: Ports) -> Ports:
        return replace(ports, broker=Altered(ports.broker, change))

    return changed


def only(style: Style, saga: Saga = TRIP, **altered: Any) -> set[str]:
    """The invariants that are broken in the first schedule that breaks any."""
    simulation = proof(style, saga, **altered)
    for seed in range(WITHIN):
        if found := simulation.seeded(seed).violations:
            return {each.partition(":")[0] for each in found}
    return set()


@pytest.mark.parametrize("style", [Choreography, *COMMANDING])
def test_an_end_that_is_not_published_is_none(style: Style) -> None:
    ends = ("trip-booked", "trip-cancelled")
    quiet = publishing(lambda event: None if event.type.startswith(ends) else event)
    assert only(style, changed=quiet) == {"S1"}


def altered(*steps: Step | Stage) -> Callable[[Style], Style]:
    """A runner that takes the saga for another one."""
    other = Saga(
        started_by=TRIP.started_by, steps=steps, completed=TRIP.completed, cancelled=TRIP.cancelled
    )
    return lambda style: lambda _: style(other)


BOOK, HOLD, PAY, SEND, CONFIRM = TRIP.steps


@pytest.mark.parametrize("style", COMMANDING)
def test_a_step_that_is_left_out_is_missed(style: Style) -> None:
    assert only(altered(BOOK, HOLD, PAY, SEND)(style)) == {"S2"}


@pytest.mark.parametrize("style", COMMANDING)
def test_a_step_that_comes_too_early_is_noticed(style: Style) -> None:
    assert only(altered(BOOK, HOLD, PAY, CONFIRM, SEND)(style)) == {"S9"}


class Pay(PayTrip):
    topic: ClassVar[str] = "pay-trip"


@pytest.mark.parametrize("style", COMMANDING)
def test_a_failed_step_that_the_saga_does_not_have_is_noticed(style: Style) -> None:
    runner = altered(BOOK, HOLD, Step(Pay, at="billing"), SEND, CONFIRM)
    assert only(runner(style)) == {"S10"}


def test_an_undo_under_another_id_is_done_twice() -> None:
    attempts = count()

    def rename(event: CloudEvent) -> CloudEvent:
        if not event.type.startswith(("free-room", "return-deposit")):
            return event
        return event.model_copy(update={"id": f"{event.id}-{next(attempts)}"})

    assert breaks(Hybrid, "S5", TRIP, changed=publishing(rename))


def test_a_command_that_says_something_else_the_second_time_is_noticed() -> None:
    attempts = count()

    def say_else(event: CloudEvent) -> CloudEvent:
        if not event.type.startswith("hold-deposit"):
            return event
        return event.model_copy(update={"data": {**event.data, "guest": f"{next(attempts)}"}})

    assert breaks(Hybrid, "S7", TRIP, SHORT, changed=publishing(say_else))


@pytest.mark.parametrize("style", [Hybrid, HybridWorkflow])
def test_a_command_that_says_what_nobody_said_is_noticed(style: Style) -> None:
    def say_else(event: CloudEvent) -> CloudEvent:
        if not event.type.startswith("hold-deposit"):
            return event
        return event.model_copy(update={"data": {**event.data, "guest": "somebody else"}})

    assert only(style, changed=publishing(say_else)) == {"S8"}


def test_a_refusal_that_the_process_manager_ignores_is_never_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ignore(_: Manager, progress: Progress, asked: Asked, reason: str) -> Progress:
        return progress

    monkeypatch.setattr(Manager, "refuse", ignore)
    assert breaks(Hybrid, "S1", TRIP)


def test_without_another_look_what_was_refused_is_never_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Manager, "look", lambda _, progress, now: (progress, []))
    assert breaks(Hybrid, "S1", TRIP)


def test_without_order_the_process_manager_undoes_first_what_was_done_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = Manager._begun
    monkeypatch.setattr(Manager, "_begun", lambda *given: reversed(list(begun(*given))))
    assert breaks(Hybrid, "S4")


def test_without_order_a_workflow_undoes_first_what_was_done_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chassis.saga.asking.reversed", list, raising=False)
    assert breaks(Orchestration, "S4")


def test_without_undoing_what_was_given_up_the_process_manager_leaves_it_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail = Manager._failed

    def nothing_done(manager: Manager, progress: Progress, step: Step, reason: str) -> Progress:
        failed = fail(manager, progress, step, reason)
        return replace(failed, refused=(*failed.refused, step.name))

    monkeypatch.setattr(Manager, "_failed", nothing_done)
    assert breaks(Hybrid, "S3", timeout=SHORT)


def test_without_undoing_what_was_given_up_a_workflow_leaves_it_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing_done(step: Step, reason: str, may_be_done: bool) -> Failure:
        return Failure(step, reason, may_be_done=False)

    monkeypatch.setattr("chassis.saga.asking.Failure", nothing_done)
    assert breaks(Orchestration, "S3", timeout=SHORT)


def test_without_recorded_outcomes_a_process_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    run_once = Inbox.run_once

    async def silent(inbox: Inbox, delivery: Delivery, tx: Transaction) -> tuple[Outgoing, ...]:
        if await tx.get(inbox_key(delivery.event), InboxRecord) is not None:
            return ()
        return await run_once(inbox, delivery, tx)

    monkeypatch.setattr(Inbox, "run_once", silent)
    assert breaks(Choreography, "was accepted, and is running", saga=TRIP)


def test_without_going_on_after_a_crash_a_message_is_never_done_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nothing(*_: Any) -> None:
        pass

    monkeypatch.setattr("chassis.deadletters.retries.Retries.resume", nothing)
    assert breaks(Choreography, "S6")
