"""A participant is away for longer than anybody waits, in the middle of a workflow."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from orders.asking import Asked, Steps

from chassis.cloudevents import CloudEvent
from chassis.errors import Unavailable
from chassis.saga import Style
from chassis.simulation import Check, Simulation, World
from chassis.simulation.broker import Published, SimulatedBroker
from chassis.simulation.calls import SimulatedParticipants
from chassis.simulation.process import here
from contracts.testing import order_of
from invariants import violations
from simulation import plans
from simulation.fulfilment import Run, of

SECONDS = 1200
STYLES = [Style.ORCHESTRATION, Style.HYBRID]
#: Nobody carries it there, so all is undone.
PLAN = plans.Plan("order-1", order_of({plans.PLENTY: 2}, country="AQ"))


@pytest.fixture(params=["refund-payment", "release-stock", "dispatch-shipment"])
def unanswered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The command that nobody takes: calls fail, and the broker has given its messages up."""
    topic: str = request.param
    ask, publish = SimulatedParticipants.ask, SimulatedBroker.publish_raw

    async def ask_in_vain(
        participants: SimulatedParticipants, app_id: str, command: CloudEvent, asked: str
    ) -> CloudEvent:
        if asked == topic and here().world.clock.now < SECONDS:
            raise Unavailable("HTTP 500: ERR_DIRECT_INVOKE")
        return await ask(participants, app_id, command, asked)

    def publish_in_vain(broker: SimulatedBroker, message: Published) -> None:
        if message.topic != topic or broker._world.clock.now >= SECONDS:
            publish(broker, message)

    monkeypatch.setattr(SimulatedParticipants, "ask", ask_in_vain)
    monkeypatch.setattr(SimulatedBroker, "publish_raw", publish_in_vain)
    return topic


def simulation(style: Style) -> Simulation:
    def play(world: World) -> Check:
        run = Run(world, style, [PLAN], plans.LONG)
        run.begin()

        def check() -> list[str]:
            books = run.books()
            (order,) = books.orders.values()
            early = [] if order.seconds and order.seconds > SECONDS / 2 else ["it ended early"]
            return early + violations(replace(books, deadline=inf))

        return check

    return of(style, play)


@pytest.mark.parametrize("style", STYLES)
def test_an_order_ends_as_it_must_after_an_outage(style: Style, unanswered: str) -> None:
    assert simulation(style).replay([]).violations == []


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("unanswered", ["refund-payment", "release-stock"], indirect=True)
def test_a_compensation_that_gives_up_keeps_goods_or_money(
    monkeypatch: pytest.MonkeyPatch, style: Style, unanswered: str
) -> None:
    def give_up(steps: Steps) -> Any:
        for command in reversed(steps._undo):
            asked = Asked(command, steps._now, is_undo=True)
            yield from steps._ask_for(asked, steps._start.patience)

    monkeypatch.setattr(Steps, "undo", give_up)
    violated = simulation(style).replay([]).violations
    assert any(line.startswith(("I1", "I3")) for line in violated)
