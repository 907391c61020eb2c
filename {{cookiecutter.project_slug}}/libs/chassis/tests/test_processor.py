import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from chassis.cloudevents import CloudEvent, envelope
from chassis.errors import Busy, Refused, Rejected, StaleWrite, Unavailable, Unsent
from chassis.handlers import step
from chassis.inbox import Inbox
from chassis.ports import Stored, Write
from chassis.processor import MAX_ATTEMPTS, Processor
from chassis.transaction import Transaction
from testkit import MemoryBroker, MemoryStore
from testkit.bank import Deposit, Deposited, Refusal, deposit

DEPOSIT = step(deposit, Deposit)


class Statement(BaseModel):
    version: ClassVar[int] = 1

    text: str

    @property
    def subject(self) -> str:
        return "statement"


def event(id: str = "1", **content: Any) -> CloudEvent:
    return envelope(Deposit(**content), id=id, source="test", traceparent=None)


async def test_an_event_is_stored_and_its_outcome_is_published(
    processor: Processor, store: MemoryStore, broker: MemoryBroker
) -> None:
    outcomes = await processor.process(event(amount=5), DEPOSIT)
    assert store.get("ada", int) == 5
    assert broker.published["deposited"] == list(outcomes)


async def test_a_lost_race_runs_the_handler_again_on_what_the_winner_wrote(
    processor: Processor, store: MemoryStore
) -> None:
    async def overtaken_once(asked: Deposit, tx: Transaction) -> Deposited:
        deposited = await deposit(asked, tx)
        if store.get("ada", int) is None:
            store.put("ada", 100)
        return deposited

    await processor.process(event(amount=5), step(overtaken_once, Deposit))
    assert store.get("ada", int) == 105


class NoPause:
    def uniform(self, low: float, _: float, /) -> float:
        return low


async def test_a_race_that_is_lost_every_time_ends_as_unavailable(
    store: MemoryStore, broker: MemoryBroker
) -> None:
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60), random=NoPause())
    processor.start()
    store.failures = [StaleWrite() for _ in range(MAX_ATTEMPTS)]
    with pytest.raises(Unavailable, match="ETag races"):
        await processor.process(event(), DEPOSIT)
    assert store.commits == []
    await processor.stop()


async def test_what_waits_together_is_committed_together(
    processor: Processor, store: MemoryStore
) -> None:
    await asyncio.gather(
        *(processor.process(event(str(n), account=f"account-{n}"), DEPOSIT) for n in range(10))
    )
    assert len(store.commits) == 1


async def test_deliveries_of_a_group_see_each_other_on_one_key(
    processor: Processor, store: MemoryStore
) -> None:
    results = await asyncio.gather(
        *(processor.process(event(str(n), amount=1), DEPOSIT) for n in range(5))
    )
    assert [outcome.data["balance"] for (outcome,) in results] == [1, 2, 3, 4, 5]
    assert len(store.commits) == 1


async def test_handlers_that_wait_for_nothing_but_their_reads_run_once_on_one_key(
    processor: Processor, store: MemoryStore
) -> None:
    runs: list[int] = []

    async def counted(asked: Deposit, tx: Transaction) -> Deposited:
        runs.append(asked.amount)
        return await deposit(asked, tx)

    await asyncio.gather(
        *(processor.process(event(str(n), amount=n), step(counted, Deposit)) for n in range(5))
    )
    assert runs == [0, 1, 2, 3, 4]
    assert store.get("ada", int) == 10


async def test_a_handler_that_was_overtaken_while_it_waited_is_run_once_more(
    processor: Processor, store: MemoryStore
) -> None:
    async def slow(asked: Deposit, tx: Transaction) -> Deposited:
        deposited = await deposit(asked, tx)
        await asyncio.sleep(0.01 * (5 - asked.amount))
        return deposited

    results = await asyncio.gather(
        *(processor.process(event(str(n), amount=n), step(slow, Deposit)) for n in range(1, 5))
    )
    assert store.get("ada", int) == 10
    assert len({outcome.data["balance"] for (outcome,) in results}) == 4


async def test_handlers_that_overtake_each_other_on_one_key_do_not_hold_back_another(
    store: MemoryStore, broker: MemoryBroker
) -> None:
    async def calls_somebody(asked: Deposit, tx: Transaction) -> Deposited:
        deposited = await deposit(asked, tx)
        await asyncio.sleep(0.03)
        return deposited

    hot = step(calls_somebody, Deposit)
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60), random=NoPause())
    processor.group_seconds = 0.05
    processor.start()
    deposits = [
        asyncio.create_task(processor.process(event(str(n), account="hot", amount=1), hot))
        for n in range(20)
    ]
    await asyncio.sleep(0)
    await processor.process(event("other", amount=5), DEPOSIT)
    assert not all(task.done() for task in deposits)
    await asyncio.gather(*deposits)
    assert store.get("hot", int) == 20
    await processor.stop()


async def test_one_event_delivered_twice_in_a_group_has_one_effect(
    processor: Processor, store: MemoryStore
) -> None:
    first, second = await asyncio.gather(
        processor.process(event("1"), DEPOSIT), processor.process(event("1"), DEPOSIT)
    )
    assert first == second
    assert store.get("ada", int) == 1


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
    broker: MemoryBroker,
) -> None:
    class Picky(MemoryStore):
        async def commit(self, writes: Sequence[Write]) -> None:
            if any(write.key == "cursed" for write in writes):
                raise Refused("this key is too much for me")
            await super().commit(writes)

    store = Picky()
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60))
    processor.start()
    refused, deposited = await asyncio.gather(
        processor.process(event("1", account="cursed"), DEPOSIT),
        processor.process(event("2", amount=5), DEPOSIT),
        return_exceptions=True,
    )
    await processor.stop()
    assert isinstance(refused, Refused)
    assert isinstance(deposited, tuple)
    assert store.get("ada", int) == 5


async def test_a_key_that_the_store_cannot_read_does_not_take_its_group_along(
    broker: MemoryBroker,
) -> None:
    class Picky(MemoryStore):
        async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
            if "cursed" in keys:
                raise Refused("this key cannot be decrypted")
            return await super().read(keys)

    store = Picky()
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60))
    processor.start()
    refused, deposited = await asyncio.gather(
        processor.process(event("1", account="cursed"), DEPOSIT),
        processor.process(event("2", amount=5), DEPOSIT),
        return_exceptions=True,
    )
    await processor.stop()
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
    store: MemoryStore,
) -> None:
    class Picky(MemoryBroker):
        async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
            if any(event.subject == "cursed" for event in events):
                raise Refused("this subject is too much for me")
            await super().publish(topic, events)

    processor = Processor(store, Picky(), Inbox("bank", ttl_seconds=60))
    processor.start()
    unsent, deposited = await asyncio.gather(
        processor.process(event("1", account="cursed"), DEPOSIT),
        processor.process(event("2", amount=5), DEPOSIT),
        return_exceptions=True,
    )
    await processor.stop()
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


async def test_a_handler_that_takes_too_long_fails_alone_and_stores_nothing(
    store: MemoryStore, broker: MemoryBroker
) -> None:
    async def forgetful(asked: Deposit, tx: Transaction) -> Deposited:
        deposited = await deposit(asked, tx)
        await asyncio.Event().wait()
        return deposited

    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60), handler_timeout=0.2)
    processor.start()
    late, deposited = await asyncio.gather(
        processor.process(event("1", account="bob"), step(forgetful, Deposit)),
        processor.process(event("2", amount=5), DEPOSIT),
        return_exceptions=True,
    )
    await processor.stop()
    assert isinstance(late, TimeoutError)
    assert isinstance(deposited, tuple)
    assert store.get("bob", int) is None


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
    broker: MemoryBroker,
) -> None:
    class Cancelling(MemoryStore):
        async def commit(self, writes: Sequence[Write]) -> None:
            if self.failures:
                self.failures.clear()
                raise asyncio.CancelledError
            await super().commit(writes)

    store = Cancelling()
    store.failures = [Unavailable()]
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60))
    processor.start()
    with pytest.raises(Unavailable, match="the group failed"):
        await processor.process(event("1"), DEPOSIT)
    await processor.process(event("1", amount=5), DEPOSIT)
    assert processor.alive
    await processor.stop()


async def test_hung_handlers_delay_their_group_once_and_no_other(
    store: MemoryStore, broker: MemoryBroker
) -> None:
    hang = asyncio.Event()

    async def hanging(asked: Deposit, tx: Transaction) -> Deposited:
        if asked.account == "hung":
            await hang.wait()
        return await deposit(asked, tx)

    hung = step(hanging, Deposit)
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60), handler_timeout=60)
    processor.group_seconds = 0.05
    processor.start()
    stuck = [
        asyncio.create_task(processor.process(event(f"h{n}", account="hung"), hung))
        for n in range(10)
    ]
    async with asyncio.timeout(5):
        for n in range(20):
            await asyncio.gather(
                *(processor.process(event(f"{n}-{m}", amount=1), hung) for m in range(10))
            )
    assert store.get("ada", int) == 200
    assert not any(task.done() for task in stuck)
    hang.set()
    await asyncio.gather(*stuck)
    assert store.get("hung", int) == 10
    await processor.stop()


async def test_more_slow_handlers_than_there_is_room_for_are_tried_later(
    store: MemoryStore, broker: MemoryBroker
) -> None:
    async def slow(asked: Deposit, tx: Transaction) -> Deposited:
        await asyncio.sleep(0.1)
        return await deposit(asked, tx)

    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60))
    processor.group_seconds = 0.01
    processor.max_slow = 3
    processor.start()
    results = await asyncio.gather(
        *(processor.process(event(str(n)), step(slow, Deposit)) for n in range(5)),
        return_exceptions=True,
    )
    assert [str(each) for each in results if isinstance(each, Busy)] == [
        "3 slow handlers run already"
    ] * 2
    assert store.get("ada", int) == 3
    await processor.stop()


async def test_a_slow_handler_on_a_busy_key_wins_its_last_races(
    store: MemoryStore, broker: MemoryBroker
) -> None:
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60), random=NoPause())
    processor.group_seconds = 0.01
    processor.start()
    deposits = 0

    async def keep_busy() -> None:
        nonlocal deposits
        while True:
            await processor.process(event(f"busy-{deposits}", amount=1), DEPOSIT)
            deposits += 1

    async def slow(asked: Deposit, tx: Transaction) -> Deposited:
        deposited = await deposit(asked, tx)
        await asyncio.sleep(0.02)
        return deposited

    busy = asyncio.create_task(keep_busy())
    (deposited,) = await processor.process(event("slow", amount=1_000_000), step(slow, Deposit))
    assert deposited.data["balance"] > 1_000_000
    busy.cancel()
    await processor.stop()


async def test_a_delivery_that_finds_no_place_in_the_queue_was_not_tried(
    store: MemoryStore, broker: MemoryBroker
) -> None:
    processor = Processor(
        store, broker, Inbox("bank", ttl_seconds=60), handler_timeout=0.01, max_waiting=1
    )
    results = await asyncio.gather(
        *(processor.process(event(str(n)), DEPOSIT) for n in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [Busy] * 3


async def test_a_delivery_that_nobody_waits_for_any_more_is_not_worked_on(
    store: MemoryStore, broker: MemoryBroker
) -> None:
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60), handler_timeout=0.01)
    # Nobody works on what waits before `start`.
    with pytest.raises(Busy, match="not done within"):
        await processor.process(event("1", amount=5), DEPOSIT)
    waiting = processor._waiting
    processor.start()
    while not waiting.empty():
        processor._waiting.put_nowait(waiting.get_nowait())
    await processor.process(event("2", amount=1), DEPOSIT)
    assert store.get("ada", int) == 1
    await processor.stop()


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


async def test_stopping_finishes_what_waits(store: MemoryStore, broker: MemoryBroker) -> None:
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60))
    processor.start()
    waiting = [asyncio.create_task(processor.process(event(str(n)), DEPOSIT)) for n in range(250)]
    await asyncio.sleep(0)
    await processor.stop()
    assert store.get("ada", int) == 250
    assert len(broker.published["deposited"]) == 250
    assert all(task.done() for task in waiting)
    assert not processor.alive
