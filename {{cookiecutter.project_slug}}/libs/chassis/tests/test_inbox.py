from typing import Any

import pytest

from chassis.cloudevents import CloudEvent, envelope
from chassis.errors import Rejected, Unavailable
from chassis.inbox import InboxRecord, inbox_key
from testkit import Harness
from testkit.bank import Deposit, Deposited, Refusal, handlers


def event(id: str = "1", **content: Any) -> CloudEvent:
    return envelope(Deposit(**content), id=id, source="test", traceparent=None)


async def test_the_same_id_twice_has_one_effect_and_one_answer(bank: Harness) -> None:
    first = await bank.deliver(event("1", amount=5))
    second = await bank.deliver(event("1", amount=5))
    assert first == second
    assert bank.store.get("ada", int) == 5


async def test_the_recorded_outcomes_are_published_again(bank: Harness) -> None:
    (outcome,) = await bank.deliver(event("1"))
    await bank.deliver(event("1"))
    assert bank.broker.published["deposited"] == [outcome, outcome]


async def test_another_id_is_another_message(bank: Harness) -> None:
    await bank.deliver(event("1", amount=5))
    assert await bank.handle(Deposit(amount=5), id="2") == [Deposited(account="ada", balance=10)]


async def test_an_id_of_another_source_is_another_message(bank: Harness) -> None:
    await bank.deliver(event("1", amount=5))
    elsewhere = event("1", amount=5).model_copy(update={"source": "another-warehouse"})
    (outcome,) = await bank.deliver(elsewhere)
    assert outcome.data["balance"] == 10


async def test_an_upgrade_of_the_sender_between_two_attempts_is_the_same_message(
    bank: Harness,
) -> None:
    first = await bank.deliver(event("1", amount=5))
    again = event("1", amount=5)
    upgraded = again.model_copy(update={"data": {**again.data, "currency": "EUR"}})
    assert await bank.deliver(upgraded) == first
    assert bank.store.get("ada", int) == 5


async def test_an_id_that_was_used_for_other_content_is_rejected(bank: Harness) -> None:
    await bank.deliver(event("1", amount=5))
    with pytest.raises(Rejected, match="'1' of 'test' was used before"):
        await bank.deliver(event("1", amount=6))
    assert bank.store.get("ada", int) == 5


async def test_an_outcome_has_an_id_that_follows_from_its_cause_and_its_service(
    bank: Harness,
) -> None:
    (outcome,) = await bank.deliver(event("1"))
    (of_another_cause,) = await bank.deliver(event("2"))
    assert outcome.causationid == "1"
    assert outcome.id != of_another_cause.id
    (elsewhere,) = await Harness(handlers, source="bank").deliver(event("1"))
    assert elsewhere.id == outcome.id


async def test_services_that_get_one_event_do_not_share_the_ids_of_their_outcomes(
    bank: Harness,
) -> None:
    (ours,) = await bank.deliver(event("1"))
    (theirs,) = await Harness(handlers, source="other-bank").deliver(event("1"))
    assert ours.id != theirs.id


async def test_an_outcome_names_its_sender_and_continues_the_trace(bank: Harness) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    cause = event().model_copy(update={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    (outcome,) = await bank.deliver(cause)
    assert outcome.source == "bank"
    assert trace in (outcome.traceparent or "")


async def test_record_and_writes_are_one_commit(bank: Harness) -> None:
    await bank.deliver(event("1"))
    (commit,) = bank.store.commits
    assert {write.key for write in commit} == {"ada", inbox_key(event("1"))}


async def test_without_the_commit_there_is_neither_record_nor_write(bank: Harness) -> None:
    bank.store.failures = [Unavailable()]
    with pytest.raises(Unavailable):
        await bank.deliver(event("1"))
    assert bank.store.get("ada", int) is None
    assert bank.store.get(inbox_key(event("1")), InboxRecord) is None
    assert not bank.broker.published


async def test_a_handler_that_raises_leaves_no_record_so_it_may_run_again(bank: Harness) -> None:
    with pytest.raises(Refusal):
        await bank.deliver(event("1", amount=-1))
    assert bank.store.commits == []


async def test_a_record_expires_and_what_the_handler_wrote_does_not(bank: Harness) -> None:
    await bank.deliver(event("1"))
    assert {write.key: write.ttl_seconds for write in bank.store.commits[0]} == {
        "ada": None,
        inbox_key(event("1")): 3600,
    }
