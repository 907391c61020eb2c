"""A participant is away for longer than anybody waits, in the middle of a workflow."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from chassis import Ports
from chassis.cloudevents import CloudEvent
from chassis.errors import Unavailable
from chassis.simulation import Changed, Check, Simulation, World
from chassis.simulation.process import here
from contracts.testing import order_of
from invariants import violations
from orders.asking import Asked, Steps
from orders.domain import Style
from simulation import plans
from simulation.fulfilment import Run, of

SECONDS = 1200
STYLES = [Style.ORCHESTRATION, Style.HYBRID]
#: Nobody carries it there, so all is undone.
PLAN = plans.Plan("order-1", order_of({plans.PLENTY: 2}, country="AQ"))


class Unanswered:
    """The command that nobody takes: calls fail, and the broker has given its messages up."""

    def __init__(self, topic: str, ports: Ports) -> None:
        self._topic = topic
        self._ports = ports

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        if self._is_lost(topic):
            raise Unavailable("HTTP 500: ERR_DIRECT_INVOKE")
        return await self._ports.participants.ask(app_id, command, topic)

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        if not self._is_lost(topic):
            await self._ports.broker.publish(topic, events)

    def _is_lost(self, topic: str) -> bool:
        return topic == self._topic and here().world.clock.now < SECONDS

    async def close(self) -> None:
        pass


@pytest.fixture(params=["refund-payment", "release-stock", "dispatch-shipment"])
def unanswered(request: pytest.FixtureRequest) -> Changed:
    def changed(ports: Ports) -> Ports:
        nobody = Unanswered(request.param, ports)
        return replace(ports, participants=nobody, broker=nobody)

    return changed


def simulation(style: Style, unanswered: Changed) -> Simulation:
    def play(world: World) -> Check:
        run = Run(world, style, [PLAN], plans.LONG)
        run.begin()

        def check() -> list[str]:
            books = run.books()
            (order,) = books.orders.values()
            early = [] if order.seconds and order.seconds > SECONDS / 2 else ["it ended early"]
            return early + violations(replace(books, deadline=inf))

        return check

    return of(style, play, unanswered)


@pytest.mark.parametrize("style", STYLES)
def test_an_order_ends_as_it_must_after_an_outage(style: Style, unanswered: Changed) -> None:
    assert simulation(style, unanswered).replay([]).violations == []


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("unanswered", ["refund-payment", "release-stock"], indirect=True)
def test_a_compensation_that_gives_up_keeps_goods_or_money(
    monkeypatch: pytest.MonkeyPatch, style: Style, unanswered: Changed
) -> None:
    def give_up(steps: Steps) -> Any:
        for command in reversed(steps._undo):
            asked = Asked(command, steps._now, is_undo=True)
            yield from steps._ask_for(asked, steps._start.patience)

    monkeypatch.setattr(Steps, "undo", give_up)
    violated = simulation(style, unanswered).replay([]).violations
    assert any(line.startswith(("I1", "I3")) for line in violated)
