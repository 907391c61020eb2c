"""The list of unfinished orders, swept in the middle of everything: none is ever missing."""

from typing import Any

import pytest

from chassis.saga import Progress
from chassis.unfinished import DIRECTORY, Names, Page, Unfinished
from testkit.simulation import Check, Simulation, World, schedules
from testkit.simulation.process import Process
from tests.invariants import violations
from tests.simulation import plans
from tests.simulation.fulfilment import HYBRID, RUNNERS, Run, Runner, of

#: The first sweeps follow each other at once, the others until nothing is listed.
AT_ONCE, SWEEPS, SECONDS = 12, 80, 30


def listed(world: World) -> set[str]:
    store = world.store("orders")
    pages = [store.get(f"unfinished:{name}", Page) for name in store.get(DIRECTORY, Names) or []]
    return {id for page in pages for id, _ in page or []}


def missing(world: World) -> list[str]:
    store = world.store("orders")
    processes = {key: store.get(key, Progress) for key in store.keys("process:")}
    return [
        f"{key} has not ended, and is not listed"
        for key, progress in processes.items()
        # Before it has begun it may never begin.
        if progress and progress.style and not progress.has_ended and key not in listed(world)
    ]


def simulation(runner: Runner) -> Simulation:
    def play(world: World) -> Check:
        run = Run(world, runner.style, plans.pick(world, contended=True), plans.LONG)
        run.begin()

        async def sweep(process: Process) -> None:
            sagas = process.service.sagas
            await sagas.unfinished.sweep(process.service.store, process.service.clock.now())

        def sweep_again(number: int) -> None:
            world.violations += missing(world)
            if number < AT_ONCE:
                ask(number)
            elif number < SWEEPS and (listed(world) or not run.has_ended):
                world.later(SECONDS, lambda: ask(number))

        def ask(number: int) -> None:
            world.request("orders", "sweep", sweep, lambda _: sweep_again(number + 1))

        ask(0)

        def check() -> list[str]:
            left = sorted(f"{id} is still listed" for id in listed(world))
            return [*left, *violations(run.ledger())]

        return check

    simulated = of(runner, play)
    for member in simulated.members["orders"]:
        unfinished = member.service.sagas.unfinished
        # Small pages, and each sweep is due.
        unfinished.page, unfinished.sweep_seconds = 1, 0
    return simulated


@pytest.mark.parametrize("runner", RUNNERS, ids=str)
def test_an_unfinished_order_is_listed_and_an_ended_one_is_not(runner: Runner) -> None:
    simulation(runner).explore(schedules(60))


def test_an_order_that_is_not_added_with_its_first_step_would_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def forget(*_: Any) -> None:
        pass

    monkeypatch.setattr(Unfinished, "add", forget)
    run = simulation(HYBRID).replay([])
    assert any("is not listed" in line for line in run.violations)
