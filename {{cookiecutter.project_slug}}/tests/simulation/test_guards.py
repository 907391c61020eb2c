"""Negative controls: without each guard of the chassis an invariant breaks, and soon.

A guard is taken away by patching it here; the production code has no switch for it.
"""

import asyncio
import re
from dataclasses import replace
from itertools import count
from operator import ne
from typing import Any
from uuid import UUID

import pytest

from chassis.cloudevents import CloudEvent, envelope
from chassis.deliveries import RETRY
from chassis.errors import Rejected, Unavailable
from chassis.handlers import Step as HandlerStep
from chassis.inbox import Delivery, Inbox, InboxRecord, Outgoing, inbox_key
from chassis.invocation import Participants
from chassis.processor import Processor
from chassis.refusal import CommandRefused
from chassis.saga.asking import Failure
from chassis.saga.declaration import Step
from chassis.saga.hybrid import Hybrid
from chassis.saga.manager import Manager
from chassis.saga.progress import Progress
from chassis.subscriptions import Subscriptions
from chassis.transaction import Transaction
from tests.simulation.agreement import Agreement
from tests.simulation.fulfilment import (
    CHOREOGRAPHY,
    HYBRID,
    ORCHESTRATION,
    RUNNERS,
    WORKFLOWS,
    Runner,
    simulation,
)

#: A guard whose absence is not noticed within so many schedules is not tested.
WITHIN = 250
#: What `make test` explores in each style.
SCHEDULES = 1000


def breaks(runner: Runner, message: str, within: int = WITHIN) -> bool:
    """Whether one of the first schedules ends with this violation."""
    fulfilment = simulation(runner)
    return any(
        re.search(message, violation)
        for seed in range(within)
        for violation in fulfilment.seeded(seed).violations
    )


def ids_that_do_not_follow_from_anything() -> Any:
    ids = count()
    return lambda *_: str(UUID(int=next(ids)))


async def nothing(*_: Any) -> None:
    """Instead of a guard."""


def without_recorded_outcomes(monkeypatch: pytest.MonkeyPatch, topic: str | None = None) -> None:
    run_once = Inbox.run_once

    async def silent(inbox: Inbox, delivery: Delivery, tx: Transaction) -> tuple[Outgoing, ...]:
        key = inbox_key(delivery.event)
        if topic in (None, delivery.step.topic) and await tx.get(key, InboxRecord) is not None:
            return ()
        return await run_once(inbox, delivery, tx)

    monkeypatch.setattr(Inbox, "run_once", silent)


@pytest.mark.parametrize("runner", RUNNERS, ids=str)
def test_without_the_inbox_goods_count_twice(
    monkeypatch: pytest.MonkeyPatch, runner: Runner
) -> None:
    get = Transaction.get

    async def forgetful(tx: Transaction, key: str, kind: Any) -> Any:
        found = await get(tx, key, kind)
        return None if kind is InboxRecord else found

    monkeypatch.setattr(Transaction, "get", forgetful)
    assert breaks(runner, r"I1: (PLENTY|LAST-ONE): \d+ received, but \d+ came in")


def test_without_etags_a_replica_writes_over_what_another_wrote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("testkit.table.Table.is_stale", lambda *_: False)
    # Elsewhere what got lost is asked for again, step by step.
    assert breaks(CHOREOGRAPHY, r"I1: PLENTY: \d+ reserved, but orders hold \d+")


def test_without_derived_ids_a_request_that_is_sent_again_counts_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inventory.api.derived_id", ids_that_do_not_follow_from_anything())
    assert breaks(CHOREOGRAPHY, r"I1: PLENTY: 200 received, but 100 came in")


@pytest.mark.parametrize("runner", WORKFLOWS, ids=str)
def test_without_derived_ids_a_workflow_asks_something_else_when_it_is_replayed(
    monkeypatch: pytest.MonkeyPatch, runner: Runner
) -> None:
    monkeypatch.setattr("chassis.saga.asking.derived_id", ids_that_do_not_follow_from_anything())
    assert breaks(runner, r"order-placed-\w+ is not deterministic")


def test_without_recorded_outcomes_an_order_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    without_recorded_outcomes(monkeypatch)
    assert breaks(CHOREOGRAPHY, r"I2: order \S+ was accepted, and is placed")


def test_a_fault_that_one_schedule_in_a_hundred_meets_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One handler of one service keeps its outcomes to itself when its message comes again.
    without_recorded_outcomes(monkeypatch, topic="shipment-failed")
    fulfilment = simulation(CHOREOGRAPHY)
    met = sum(bool(fulfilment.seeded(seed).violations) for seed in range(SCHEDULES))
    # Once is enough to be found; much more often, and it would be no rare fault.
    assert 1 <= met <= SCHEDULES / 50


@pytest.mark.parametrize(
    ("runner", "module"),
    [("orchestration", "chassis.saga.asking"), ("hybrid", "chassis.saga.manager")],
)
def test_without_the_order_of_compensation_the_styles_do_not_agree(
    monkeypatch: pytest.MonkeyPatch, runner: str, module: str
) -> None:
    monkeypatch.setattr(f"{module}.reversed", list, raising=False)
    with pytest.raises(
        AssertionError,
        match="undoing PaymentRefunded then StockReleased in choreography, as cancelled after "
        f"DispatchShipment, undoing StockReleased then PaymentRefunded in {runner}",
    ):
        Agreement().explore(WITHIN)


def test_without_undoing_what_nobody_answered_a_workflow_keeps_goods_and_money(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As if a participant that does not reply had done nothing.
    def nothing_done(step: Step, reason: str, may_be_done: bool) -> Failure:
        return Failure(step, reason, may_be_done=False)

    monkeypatch.setattr("chassis.saga.asking.Failure", nothing_done)
    assert breaks(ORCHESTRATION, r"I[13]: ")


def test_without_distrust_of_status_codes_what_is_done_counts_as_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = Participants.ask

    async def believing(
        participants: Participants, app_id: str, command: CloudEvent, topic: str
    ) -> CloudEvent:
        try:
            return await ask(participants, app_id, command, topic)
        except Unavailable as error:
            if "HTTP 4" not in str(error):
                raise
            refused = CommandRefused.of(command, error)
            return envelope(
                refused, id="1", source=app_id, traceparent=None, causationid=command.id
            )

    monkeypatch.setattr(Participants, "ask", believing)
    # One schedule in a hundred and forty.
    assert breaks(ORCHESTRATION, r"I[13]: order \S+ is cancelled", SCHEDULES)


@pytest.mark.parametrize("runner", [CHOREOGRAPHY, HYBRID], ids=str)
def test_without_tolerance_a_field_that_an_upgrade_adds_is_other_content(
    monkeypatch: pytest.MonkeyPatch, runner: Runner
) -> None:
    monkeypatch.setattr("chassis.inbox.contradicts", ne)
    assert breaks(runner, "dead letter: ")


@pytest.mark.parametrize("runner", [CHOREOGRAPHY, HYBRID], ids=str)
def test_without_its_source_an_id_is_taken_for_another_ones(
    monkeypatch: pytest.MonkeyPatch, runner: Runner
) -> None:
    for module in ("inbox", "processor", "deadletters.kept"):
        monkeypatch.setattr(f"chassis.{module}.inbox_key", lambda event: f"inbox:{event.id}")
    monkeypatch.setattr("testkit.simulation.world.inbox_key", lambda event: f"inbox:{event.id}")
    assert breaks(runner, "dead letter: ")


@pytest.mark.parametrize("runner", [ORCHESTRATION, HYBRID], ids=str)
def test_without_the_barrier_what_was_undone_is_done_afterwards(
    monkeypatch: pytest.MonkeyPatch, runner: Runner
) -> None:
    monkeypatch.setattr("chassis.handlers.before_do", nothing)
    assert breaks(runner, r"I[13]: order \S+ is cancelled")


def test_without_going_on_after_a_crash_what_was_tried_again_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chassis.deadletters.retries.Retries.resume", nothing)
    assert breaks(CHOREOGRAPHY, r"I6: \S+ \S+ of order .* has neither processed nor dead-let")


@pytest.mark.parametrize("runner", [CHOREOGRAPHY, HYBRID], ids=str)
def test_without_retries_a_failure_for_an_unknown_reason_is_the_last(
    monkeypatch: pytest.MonkeyPatch, runner: Runner
) -> None:
    attempt = Subscriptions._attempt

    async def once(subscriptions: Subscriptions, *arguments: Any) -> Exception | None:
        error = await attempt(subscriptions, *arguments)
        return Rejected(str(error)) if isinstance(error, RuntimeError) else error

    monkeypatch.setattr(Subscriptions, "_attempt", once)
    assert breaks(runner, "dead letter: ")


def test_without_care_a_leaked_cancellation_ends_all_work(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(processor: Processor) -> None:
        while group := await processor._next_group():
            await processor._bring_to_effect(group)

    monkeypatch.setattr("chassis.processor._result", asyncio.Task.result)
    monkeypatch.setattr(Processor, "_work", work)
    assert breaks(CHOREOGRAPHY, r"I2: order \S+ was accepted, and is placed")


def test_without_undoing_what_nobody_answered_the_process_manager_keeps_goods_and_money(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail = Manager._failed

    def nothing_done(manager: Manager, progress: Progress, step: Step, reason: str) -> Progress:
        failed = fail(manager, progress, step, reason)
        return replace(failed, refused=(*failed.refused, step.name))

    monkeypatch.setattr(Manager, "_failed", nothing_done)
    assert breaks(HYBRID, r"I[13]: ")


def test_without_derived_ids_a_refusal_says_nothing_to_the_process_manager(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = HandlerStep.run

    async def refuse(step: HandlerStep, event: CloudEvent, tx: Transaction) -> Any:
        if step.topic == "dispatch-shipment":
            raise Rejected("no carriers today")
        return await run(step, event, tx)

    monkeypatch.setattr(HandlerStep, "run", refuse)
    assert simulation(HYBRID).replay([]).violations == []
    monkeypatch.setattr(Hybrid, "_id", ids_that_do_not_follow_from_anything())
    # Nobody knows which command it is that was refused.
    assert breaks(HYBRID, r"I2: order \S+ was accepted, and is placed")


@pytest.mark.parametrize("runner", RUNNERS, ids=str)
def test_without_dead_letters_poison_is_never_done_with(
    monkeypatch: pytest.MonkeyPatch, runner: Runner
) -> None:
    async def again(*_: Any) -> str:
        return RETRY

    monkeypatch.setattr("chassis.subscriptions.Subscriptions._keep", again)
    assert breaks(runner, r"I6: \S+ \S+ of order .* has neither processed nor dead-let")
