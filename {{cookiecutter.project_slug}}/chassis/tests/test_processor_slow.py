"""A slow handler holds back nobody, and nobody holds it back for ever."""

import asyncio
from collections.abc import Callable

import pytest

from chassis.errors import Busy
from chassis.handlers import step
from chassis.inbox import Inbox
from chassis.processor import Processor
from chassis.testing import MemoryBroker, MemoryStore
from chassis.testing.bank import DEPOSIT, Deposit, Deposited, deposit, event
from chassis.transaction import Transaction


async def test_handlers_that_overtake_each_other_on_one_key_do_not_hold_back_another(
    start: Callable[..., Processor], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.processor.GROUP_SECONDS", 0.05)
    monkeypatch.setattr("chassis.processor.random.uniform", lambda low, high: 0)

    async def calls_somebody(asked: Deposit, tx: Transaction) -> Deposited:
        deposited = await deposit(asked, tx)
        await asyncio.sleep(0.03)
        return deposited

    hot = step(calls_somebody, Deposit)
    processor = start()
    deposits = [
        asyncio.create_task(processor.process(event(str(n), account="hot", amount=1), hot))
        for n in range(20)
    ]
    await asyncio.sleep(0)
    await processor.process(event("other", amount=5), DEPOSIT)
    assert not all(task.done() for task in deposits)
    await asyncio.gather(*deposits)
    assert store.get("hot", int) == 20


async def test_a_handler_that_takes_too_long_fails_alone_and_stores_nothing(
    start: Callable[..., Processor], store: MemoryStore
) -> None:
    async def forgetful(asked: Deposit, tx: Transaction) -> Deposited:
        deposited = await deposit(asked, tx)
        await asyncio.Event().wait()
        return deposited

    processor = start(handler_timeout=0.2)
    late, deposited = await asyncio.gather(
        processor.process(event("1", account="bob"), step(forgetful, Deposit)),
        processor.process(event("2", amount=5), DEPOSIT),
        return_exceptions=True,
    )
    assert isinstance(late, TimeoutError)
    assert isinstance(deposited, tuple)
    assert store.get("bob", int) is None


async def test_hung_handlers_delay_their_group_once_and_no_other(
    start: Callable[..., Processor], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.processor.GROUP_SECONDS", 0.05)
    hang = asyncio.Event()

    async def hanging(asked: Deposit, tx: Transaction) -> Deposited:
        if asked.account == "hung":
            await hang.wait()
        return await deposit(asked, tx)

    hung = step(hanging, Deposit)
    processor = start(handler_timeout=60)
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


async def test_more_slow_handlers_than_there_is_room_for_are_tried_later(
    start: Callable[..., Processor], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.processor.GROUP_SECONDS", 0.01)
    monkeypatch.setattr("chassis.processor.MAX_SLOW", 3)

    async def slow(asked: Deposit, tx: Transaction) -> Deposited:
        await asyncio.sleep(0.1)
        return await deposit(asked, tx)

    processor = start()
    results = await asyncio.gather(
        *(processor.process(event(str(n)), step(slow, Deposit)) for n in range(5)),
        return_exceptions=True,
    )
    assert [str(each) for each in results if isinstance(each, Busy)] == [
        "3 slow handlers run already"
    ] * 2
    assert store.get("ada", int) == 3


async def test_a_slow_handler_on_a_busy_key_wins_its_last_races(
    start: Callable[..., Processor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.processor.GROUP_SECONDS", 0.01)
    monkeypatch.setattr("chassis.processor.random.uniform", lambda low, high: 0)
    processor = start()
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


async def test_a_delivery_that_finds_no_place_in_the_queue_was_not_tried(
    store: MemoryStore, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.processor.MAX_WAITING", 1)
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60), handler_timeout=0.01)
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
