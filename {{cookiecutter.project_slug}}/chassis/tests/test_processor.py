"""The commit point: what waits together is decided and committed together."""

import asyncio

import pytest

from chassis.errors import StaleWrite, Unavailable
from chassis.handlers import step
from chassis.inbox import Inbox
from chassis.processor import MAX_ATTEMPTS, Processor
from chassis.testing import MemoryBroker, MemoryStore
from chassis.testing.bank import DEPOSIT, Deposit, Deposited, deposit, event
from chassis.transaction import Transaction


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


async def test_a_race_that_is_lost_every_time_ends_as_unavailable(
    processor: Processor, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.processor.random.uniform", lambda low, high: 0)
    store.failures = [StaleWrite() for _ in range(MAX_ATTEMPTS)]
    with pytest.raises(Unavailable, match="ETag races"):
        await processor.process(event(), DEPOSIT)
    assert store.commits == []


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


async def test_one_event_delivered_twice_in_a_group_has_one_effect(
    processor: Processor, store: MemoryStore
) -> None:
    first, second = await asyncio.gather(
        processor.process(event("1"), DEPOSIT), processor.process(event("1"), DEPOSIT)
    )
    assert first == second
    assert store.get("ada", int) == 1


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
