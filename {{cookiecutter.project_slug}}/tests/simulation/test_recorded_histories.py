"""Workflows in flight survive the next release: the code still fits what was recorded before."""

import pytest

from chassis.messages import Message
from orders.saga import FULFILMENT
from testkit.simulation import Recording
from testkit.simulation.compare import compare_under
from testkit.simulation.histories import steps
from tests.simulation.command import kept, misfits
from tests.simulation.fulfilment import HYBRID_WORKFLOW

KEPT = kept()


@pytest.mark.parametrize("name", KEPT)
def test_the_code_still_takes_each_turn_as_it_was_recorded(name: str) -> None:
    wrong = misfits({name: KEPT[name]})
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("reply", FULFILMENT.replies)
def test_a_new_version_of_a_reply_changes_nothing_that_rests_on_the_old_one(
    monkeypatch: pytest.MonkeyPatch, reply: type[Message]
) -> None:
    monkeypatch.setattr(reply, "version", reply.version + 1)
    assert not misfits(KEPT)


def test_both_workflows_were_recorded_and_do_not_depend_on_the_hash_seed() -> None:
    recordings: list[Recording] = list(KEPT.values())
    asked = {step for recording in recordings for step in steps(recording)}
    assert {"ask_participant", "send_command"} <= asked
    wrong = compare_under(1, HYBRID_WORKFLOW.services, recordings)
    assert not wrong, "\n".join(wrong)
