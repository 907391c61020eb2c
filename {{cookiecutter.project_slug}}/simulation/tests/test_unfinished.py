"""The list of unfinished orders, swept in the middle of everything: none is ever missing."""

from typing import Any

import pytest

from chassis.simulation import Check, Simulation, World, schedules
from chassis.simulation.process import Process
from chassis.unfinished import DIRECTORY, Names, Page
from invariants import violations
from orders.domain import Order, Style
from orders.steps import unfinished
from simulation import plans
from simulation.fulfilment import Run, of

#: The first sweeps follow each other at once, the others until nothing is listed.
AT_ONCE, SWEEPS, SECONDS = 12, 80, 30


@pytest.fixture(autouse=True)
def _small_pages_often_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "page", 1)
    # Each of them is due.
    monkeypatch.setattr(unfinished, "sweep_seconds", 0)


def listed(world: World) -> set[str]:
    store = world.store("orders")
    pages = [store.get(f"unfinished:{name}", Page) for name in store.get(DIRECTORY, Names) or []]
    return {id for page in pages for id, _ in page or []}


def missing(world: World) -> list[str]:
    store = world.store("orders")
    orders = [store.get(key, Order) for key in store.keys("order:")]
    return [
        f"order {order.order_id} has not ended, and is not listed"
        for order in orders
        if order and order.ended_at is None and str(order.order_id) not in listed(world)
    ]


def simulation(style: Style) -> Simulation:
    def play(world: World) -> Check:
        run = Run(world, style, plans.pick(world, contended=True), plans.LONG)
        run.begin()

        async def sweep(process: Process) -> None:
            await unfinished.sweep(process.service.store, process.service.clock.now())

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
            left = sorted(f"order {id} is still listed" for id in listed(world))
            return [*left, *violations(run.books())]

        return check

    return of(style, play)


@pytest.mark.parametrize("style", Style)
def test_an_unfinished_order_is_listed_and_an_ended_one_is_not(style: Style) -> None:
    simulation(style).explore(schedules(60))


def test_an_order_that_is_not_added_with_its_first_step_would_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def forget(*_: Any) -> None:
        pass

    monkeypatch.setattr(unfinished, "add", forget)
    run = simulation(Style.HYBRID).replay([])
    assert any("is not listed" in line for line in run.violations)
