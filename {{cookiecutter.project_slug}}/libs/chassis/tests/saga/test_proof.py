"""The proof holds of sagas that nobody wrote a participant for, and breaks without each guard."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chassis.inbox import Delivery, Inbox, InboxRecord, Outgoing, inbox_key
from chassis.saga import Choreography, Hybrid, HybridWorkflow, Orchestration, Saga
from chassis.saga.asking import Failure
from chassis.saga.declaration import Step
from chassis.saga.manager import Manager
from chassis.saga.progress import Progress
from chassis.saga.runner import Runner
from chassis.transaction import Transaction
from testkit.simulation import schedules
from testkit.simulation.sagas import ENDLESS, SHORT, proof
from testkit.trips import TOUR, TRIP

SEED = int(os.environ.get("SEED", "0"))
#: A guard whose absence is not noticed within so many schedules is not tested.
WITHIN = 250

Style = Callable[[Saga], Runner]

each_saga = pytest.mark.parametrize("saga", [TRIP, TOUR], ids=lambda saga: saga.name)
COMMANDING: list[Style] = [Orchestration, Hybrid, HybridWorkflow]


def breaks(style: Style, message: str, saga: Saga = TOUR, timeout: timedelta = ENDLESS) -> bool:
    """Whether one of the first schedules ends with this violation."""
    simulation = proof(style, saga, timeout)
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


@pytest.mark.parametrize("style", COMMANDING)
def test_without_the_barrier_what_was_undone_is_done_afterwards(
    monkeypatch: pytest.MonkeyPatch, style: Style
) -> None:
    async def let_pass(*_: Any) -> None:
        pass

    monkeypatch.setattr("chassis.handlers.before_do", let_pass)
    assert breaks(style, "S3", timeout=SHORT)


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
