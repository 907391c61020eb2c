"""What fails in a group fails alone, and only for a reason that is final."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import pytest
from pydantic import BaseModel

from chassis.cloudevents import CloudEvent
from chassis.errors import Refused, Rejected, Unavailable, Unsent
from chassis.handlers import step
from chassis.ports import Stored, Write
from chassis.processor import Processor
from chassis.testing import MemoryBroker, MemoryStore
from chassis.testing.bank import DEPOSIT, Deposit, Deposited, Refusal, deposit, event
from chassis.transaction import Transaction


class Statement(BaseModel):
    version: ClassVar[int] = 1

    text: str

    @property
    def subject(self) -> str:
        return "statement"


async def test_a_handler_that_raises_fails_alone(processor: Processor, store: MemoryStore) -> None:
    refused, deposited = await asyncio.gather(
        processor.process(event("1", amount=-1), DEPOSIT),
        processor.process(event("2", amount=5), DEPOSIT),
        return_exceptions=True,
    )
    assert isinstance(refused, Refusal)
    assert isinstance(deposited, tuple)
    assert store.get("ada", int) == 5


async def test_a_handler_that_failed_on_an_old_state_is_run_once_more(
    processor: Processor, store: MemoryStore
) -> None:
    async def fails_before_the_other_replica(asked: Deposit, tx: Transaction) -> Deposited:
        deposited = await deposit(asked, tx)
        if asked.account == "late" and deposited.balance == asked.amount:
            store.put("late", 100)
            raise ValueError("nothing there yet")
        return deposited

    late = step(fails_before_the_other_replica, Deposit)
    await asyncio.gather(
        processor.process(event("1", account="early", amount=1), late),
        processor.process(event("2", account="late", amount=1), late),
    )
    assert store.get("late", int) == 101


async def test_a_message_that_the_store_refuses_does_not_take_its_group_along(
    start: Callable[..., Processor],
) -> None:
    class Picky(MemoryStore):
        async def commit(self, writes: Sequence[Write]) -> None:
            if any(write.key == "cursed" for write in writes):
                raise Refused("this key is too much for me")
            await super().commit(writes)

    store = Picky()
    processor = start(store=store)
    refused, deposited = await asyncio.gather(
        processor.process(event("1", account="cursed"), DEPOSIT),
        processor.process(event("2", amount=5), DEPOSIT),
        return_exceptions=True,
    )
    assert isinstance(refused, Refused)
    assert isinstance(deposited, tuple)
    assert store.get("ada", int) == 5


async def test_a_key_that_the_store_cannot_read_does_not_take_its_group_along(
    start: Callable[..., Processor],
) -> None:
    class Picky(MemoryStore):
        async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
            if "cursed" in keys:
                raise Refused("this key cannot be decrypted")
            return await super().read(keys)

    store = Picky()
    processor = start(store=store)
    refused, deposited = await asyncio.gather(
        processor.process(event("1", account="cursed"), DEPOSIT),
        processor.process(event("2", amount=5), DEPOSIT),
        return_exceptions=True,
    )
    assert isinstance(refused, Refused)
    assert isinstance(deposited, tuple)
    assert store.get("ada", int) == 5


async def test_a_write_that_no_store_takes_does_not_take_its_group_along(
    processor: Processor, store: MemoryStore
) -> None:
    async def expired(asked: Deposit, tx: Transaction) -> Deposited:
        deposited = await deposit(asked, tx)
        if asked.account == "cursed":
            tx.put("cursed", 0, ttl_seconds=-1)
        return deposited

    failed, deposited = await asyncio.gather(
        processor.process(event("1", account="cursed"), step(expired, Deposit)),
        processor.process(event("2", amount=5), DEPOSIT),
        return_exceptions=True,
    )
    assert "-1 is no TTL" in str(failed)
    assert isinstance(deposited, tuple)
    assert store.get("ada", int) == 5


async def test_an_outcome_that_the_broker_refuses_does_not_take_its_group_along(
    start: Callable[..., Processor], store: MemoryStore
) -> None:
    class Picky(MemoryBroker):
        async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
            if any(event.subject == "cursed" for event in events):
                raise Refused("this subject is too much for me")
            await super().publish(topic, events)

    processor = start(broker=Picky())
    unsent, deposited = await asyncio.gather(
        processor.process(event("1", account="cursed"), DEPOSIT),
        processor.process(event("2", amount=5), DEPOSIT),
        return_exceptions=True,
    )
    assert len(store.commits) == 1
    assert isinstance(unsent, Unsent)
    assert isinstance(deposited, tuple)


async def test_an_outcome_that_no_broker_carries_is_rejected_before_it_is_stored(
    processor: Processor, store: MemoryStore
) -> None:
    async def talkative(asked: Deposit, tx: Transaction) -> Statement:
        await deposit(asked, tx)
        return Statement(text="x" * 300_000)

    talk = step(talkative, Deposit)
    with pytest.raises(Rejected, match=r"outcome statement.v1 has 300\d{3} bytes"):
        await processor.process(event("1"), talk)
    assert store.commits == []
    (refused,) = await processor.process(event("2"), talk, is_command=True)
    assert refused.type == "command-refused.v1"
    assert store.get("ada", int) is None


async def test_a_store_that_is_away_makes_every_message_of_the_group_come_again(
    processor: Processor, store: MemoryStore
) -> None:
    store.failures = [Unavailable()]
    results = await asyncio.gather(
        *(processor.process(event(str(n)), DEPOSIT) for n in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [Unavailable] * 3


async def test_after_a_failed_publish_the_redelivery_publishes_what_was_recorded(
    processor: Processor, store: MemoryStore, broker: MemoryBroker
) -> None:
    broker.failures = [Unavailable()]
    with pytest.raises(Unavailable):
        await processor.process(event("1", amount=5), DEPOSIT)
    assert store.get("ada", int) == 5

    outcomes = await processor.process(event("1", amount=5), DEPOSIT)
    assert store.get("ada", int) == 5
    assert broker.published["deposited"] == list(outcomes)


async def test_a_cancellation_that_leaks_from_a_handler_does_not_end_the_work_on_others(
    processor: Processor, store: MemoryStore
) -> None:
    async def leaky(asked: Deposit, tx: Transaction) -> Deposited:
        if asked.account == "leaky":
            raise asyncio.CancelledError
        return await deposit(asked, tx)

    leaking = step(leaky, Deposit)
    cancelled, deposited = await asyncio.gather(
        processor.process(event("1", account="leaky"), leaking),
        processor.process(event("2", amount=5), leaking),
        return_exceptions=True,
    )
    assert "cancelled from within" in str(cancelled)
    assert isinstance(deposited, tuple)
    assert processor.alive
    await processor.process(event("3", amount=5), DEPOSIT)
    assert store.get("ada", int) == 10


async def test_an_error_that_nobody_foresaw_fails_its_group_and_not_the_next_one(
    start: Callable[..., Processor],
) -> None:
    class Cancelling(MemoryStore):
        async def commit(self, writes: Sequence[Write]) -> None:
            if self.failures:
                self.failures.clear()
                raise asyncio.CancelledError
            await super().commit(writes)

    store = Cancelling()
    store.failures = [Unavailable()]
    processor = start(store=store)
    with pytest.raises(Unavailable, match="the group failed"):
        await processor.process(event("1"), DEPOSIT)
    await processor.process(event("1", amount=5), DEPOSIT)
    assert processor.alive


async def test_handlers_that_fail_for_an_unknown_reason_run_again_side_by_side(
    processor: Processor,
) -> None:
    """One after the other, a hundred that fail after a second each would hold back all others."""
    together, runs = asyncio.Barrier(10), 0

    async def fails_late(asked: Deposit, tx: Transaction) -> Deposited:
        nonlocal runs
        runs += 1
        await together.wait()
        raise ValueError(asked.account)

    results = await asyncio.gather(
        *(processor.process(event(str(n)), step(fails_late, Deposit)) for n in range(10)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [ValueError] * 10
    assert runs == 20


async def test_what_was_rejected_because_of_an_uncommitted_write_is_decided_again(
    processor: Processor, store: MemoryStore
) -> None:
    """The group's commit loses its race, and the winner leaves enough for both."""
    store.put("ada", 1)

    async def withdraw(asked: Deposit, tx: Transaction) -> Deposited:
        balance = await tx.get("ada", int) or 0
        if balance < asked.amount:
            raise Rejected(f"{asked.amount} wanted, {balance} there")
        tx.put("ada", balance - asked.amount)
        return Deposited(account="ada", balance=balance - asked.amount)

    commit = store.commit

    async def overtaken_once(writes: Sequence[Write]) -> None:
        store.commit = commit  # type: ignore[method-assign]
        store.put("ada", 2)
        await commit(writes)

    store.commit = overtaken_once  # type: ignore[method-assign]
    results = await asyncio.gather(
        *(processor.process(event(str(n)), step(withdraw, Deposit)) for n in range(2)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [tuple, tuple]
    assert store.get("ada", int) == 0
