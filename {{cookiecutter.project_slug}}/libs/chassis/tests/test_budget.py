import asyncio

import pytest

from chassis.budget import ByteBudget
from chassis.errors import Busy


async def hold(budget: ByteBudget, size: int, until: asyncio.Event, began: list[int]) -> None:
    async with budget.hold(size):
        began.append(size)
        await until.wait()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_is_held_at_once_than_the_budget_has() -> None:
    budget, end, began = ByteBudget(10, wait_seconds=0.05), asyncio.Event(), list[int]()
    async with asyncio.TaskGroup() as tasks:
        for size in (4, 5, 3, 1):
            tasks.create_task(hold(budget, size, end, began))
        await turns()
        # In their order: what is small does not overtake what is large for ever.
        assert began == [4, 5]
        end.set()
    assert began == [4, 5, 3, 1]


async def test_what_is_larger_than_the_budget_gets_all_of_it() -> None:
    budget = ByteBudget(10, wait_seconds=0.05)
    async with budget.hold(1_000):
        with pytest.raises(Busy, match="no room for 1 bytes"):
            async with budget.hold(1):
                raise AssertionError
    async with budget.hold(10):
        pass


async def test_who_gives_up_waiting_holds_up_nobody() -> None:
    budget, end, began = ByteBudget(10, wait_seconds=0.05), asyncio.Event(), list[int]()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold(budget, 6, end, began))
        await turns()
        large = tasks.create_task(hold(budget, 10, end, began))
        tasks.create_task(hold(budget, 4, end, began))
        await turns()
        large.cancel()
        await turns()
        assert began == [6, 4]
        end.set()
    async with budget.hold(10):
        pass


async def test_who_is_cancelled_in_its_turn_gives_it_back() -> None:
    budget, end, began = ByteBudget(10, wait_seconds=0.05), asyncio.Event(), list[int]()
    async with budget.hold(10):
        waiting = asyncio.create_task(hold(budget, 10, end, began))
        await turns()
    # It has got its turn, and does not know yet.
    waiting.cancel()
    await asyncio.wait([waiting])
    assert began == []
    async with budget.hold(10):
        pass


async def test_what_moves_to_another_budget_makes_room_for_others() -> None:
    budget, other = ByteBudget(10, wait_seconds=0.05), ByteBudget(5, wait_seconds=0.05)
    async with budget.hold(10) as held:
        held.move(other)
        async with budget.hold(10) as second:
            with pytest.raises(Busy, match="no room for 10 bytes now"):
                second.move(other)
    other.take(5)


async def test_what_was_released_is_given_back_once() -> None:
    budget = ByteBudget(10, wait_seconds=0.05)
    async with budget.hold(10) as held:
        held.release()
        held.move(ByteBudget(1, wait_seconds=0.05))
        budget.take(10)
    with pytest.raises(Busy):
        budget.take(1)
