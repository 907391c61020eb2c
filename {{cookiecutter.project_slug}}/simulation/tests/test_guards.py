"""Negative controls: without each guard of the chassis an invariant breaks, and soon.

A guard is taken away by patching it here; the production code has no switch for it.
"""

import re
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from chassis.deliveries import RETRY
from chassis.inbox import Delivery, Inbox, InboxRecord, Outgoing, inbox_key
from chassis.transaction import Transaction
from orders.domain import Style
from simulation.agreement import Agreement
from simulation.fulfilment import simulation

#: A guard whose absence is not noticed within so many schedules is not tested.
WITHIN = 250
#: What `make test` explores in each style.
SCHEDULES = 1000


def breaks(style: Style, message: str) -> bool:
    """Whether one of the first schedules ends with this violation."""
    fulfilment = simulation(style)
    return any(
        re.search(message, violation)
        for seed in range(WITHIN)
        for violation in fulfilment.seeded(seed).violations
    )


def ids_that_do_not_follow_from_anything() -> Any:
    ids = count()
    return lambda *_: str(UUID(int=next(ids)))


def without_recorded_outcomes(monkeypatch: pytest.MonkeyPatch, topic: str | None = None) -> None:
    run_once = Inbox.run_once

    async def silent(inbox: Inbox, delivery: Delivery, tx: Transaction) -> tuple[Outgoing, ...]:
        key = inbox_key(delivery.event)
        if topic in (None, delivery.step.topic) and await tx.get(key, InboxRecord) is not None:
            return ()
        return await run_once(inbox, delivery, tx)

    monkeypatch.setattr(Inbox, "run_once", silent)


@pytest.mark.parametrize("style", Style)
def test_without_the_inbox_goods_count_twice(monkeypatch: pytest.MonkeyPatch, style: Style) -> None:
    get = Transaction.get

    async def forgetful(tx: Transaction, key: str, kind: Any) -> Any:
        found = await get(tx, key, kind)
        return None if kind is InboxRecord else found

    monkeypatch.setattr(Transaction, "get", forgetful)
    assert breaks(style, r"I1: (PLENTY|LAST-ONE): \d+ received, but \d+ came in")


def test_without_etags_a_replica_writes_over_what_another_wrote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chassis.testing.table.Table.is_stale", lambda *_: False)
    # Not in a workflow style: there, what got lost is asked for during a day, step by step.
    assert breaks(Style.CHOREOGRAPHY, r"I1: PLENTY: \d+ reserved, but orders hold \d+")


def test_without_derived_ids_a_request_that_is_sent_again_counts_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inventory.api.derived_id", ids_that_do_not_follow_from_anything())
    assert breaks(Style.CHOREOGRAPHY, r"I1: PLENTY: 200 received, but 100 came in")


@pytest.mark.parametrize("style", [Style.ORCHESTRATION, Style.HYBRID])
def test_without_derived_ids_a_workflow_asks_something_else_when_it_is_replayed(
    monkeypatch: pytest.MonkeyPatch, style: Style
) -> None:
    monkeypatch.setattr("orders.asking.derived_id", ids_that_do_not_follow_from_anything())
    assert breaks(style, r"fulfil_order\w* is not deterministic")


def test_without_recorded_outcomes_an_order_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    without_recorded_outcomes(monkeypatch)
    assert breaks(Style.CHOREOGRAPHY, r"I2: order \S+ was accepted, and is placed")


def test_a_fault_that_one_schedule_in_a_hundred_meets_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One handler of one service keeps its outcomes to itself when its message comes again.
    without_recorded_outcomes(monkeypatch, topic="shipment-failed")
    fulfilment = simulation(Style.CHOREOGRAPHY)
    met = sum(bool(fulfilment.seeded(seed).violations) for seed in range(SCHEDULES))
    # Once is enough to be found; much more often, and it would be no rare fault.
    assert 1 <= met <= SCHEDULES / 50


def test_without_the_order_of_compensation_the_styles_do_not_agree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orders.asking.reversed", list, raising=False)
    with pytest.raises(
        AssertionError,
        match="undoing PaymentRefunded then StockReleased in choreography, as cancelled after "
        "ShipmentFailed, undoing StockReleased then PaymentRefunded in orchestration",
    ):
        Agreement().explore(WITHIN)


@pytest.mark.parametrize("style", [Style.ORCHESTRATION, Style.HYBRID])
def test_without_undoing_what_nobody_answered_goods_and_money_are_kept(
    monkeypatch: pytest.MonkeyPatch, style: Style
) -> None:
    # As if a participant that says nothing had done nothing.
    monkeypatch.setattr("orders.asking.may_be_done", lambda reply: reply is not None)
    assert breaks(style, r"I[13]: ")


@pytest.mark.parametrize("style", Style)
def test_without_dead_letters_poison_is_never_done_with(
    monkeypatch: pytest.MonkeyPatch, style: Style
) -> None:
    async def again(*_: Any) -> str:
        return RETRY

    monkeypatch.setattr("chassis.subscriptions.Subscriptions._keep", again)
    assert breaks(style, r"I6: \S+ \S+ of order .* has neither processed nor dead-let")
