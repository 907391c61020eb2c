"""A participant or its reply is away for longer than anybody waits, in the middle of a process."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from chassis import Ports
from chassis.cloudevents import CloudEvent
from chassis.errors import Unavailable
from chassis.saga.asking import Asked, Failure, Steps
from chassis.saga.declaration import Stage, Step
from chassis.saga.hybrid import Hybrid
from chassis.saga.manager import Manager
from chassis.saga.progress import Progress
from chassis.unfinished import Unfinished
from orders.saga import FULFILMENT
from testkit.simulation import Changed, Check, Simulation, World, unchanged
from testkit.simulation.world import around
from tests.examples import order_of
from tests.invariants import Order, violations
from tests.simulation import plans
from tests.simulation.fulfilment import HYBRID, HYBRID_WORKFLOW, ORCHESTRATION, Run, Runner, of

SECONDS = 1200
STEP_SECONDS = plans.LONG.total_seconds()
RUNNERS = [ORCHESTRATION, HYBRID, HYBRID_WORKFLOW]
OVER_PUBSUB = [HYBRID, HYBRID_WORKFLOW]
UNDOS = ["refund-payment", "release-stock"]
REPLIES = f"{FULFILMENT.name}-replies"
#: Nobody carries it there, so all is undone.
NO_CARRIER = plans.Plan("order-1", order_of({plans.PLENTY: 2}, country="AQ"))
GOOD = plans.Plan("order-1", order_of({plans.PLENTY: 2}))

each_runner = pytest.mark.parametrize("runner", RUNNERS, ids=str)
over_pubsub = pytest.mark.parametrize("runner", OVER_PUBSUB, ids=str)


class Outage:
    """Until then nobody takes the command: calls fail, and the broker has given it up."""

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
        return topic == self._topic and around().clock.now < SECONDS

    async def close(self) -> None:
        pass


class LateReplies:
    """They come after their process was undone, and then three times."""

    def __init__(self, name: str, ports: Ports) -> None:
        self._name = name
        self._broker = ports.broker

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        world = around()
        late = [each for each in events if topic == REPLIES and each.type.startswith(self._name)]
        if world.clock.now >= SECONDS:
            late = []
        for number in range(3 if late else 0):
            delay = SECONDS + number - world.clock.now
            world.later(delay, lambda: world.broker.publish(topic, late))
        await self._broker.publish(topic, [each for each in events if each not in late])


def late_replies(name: str) -> Changed:
    return lambda ports: replace(ports, broker=LateReplies(name, ports))


@pytest.fixture
def outage(request: pytest.FixtureRequest) -> Changed:
    def changed(ports: Ports) -> Ports:
        nobody = Outage(request.param, ports)
        return replace(ports, participants=nobody, broker=nobody)

    return changed


@pytest.fixture(params=["payment-captured", "stock-reserved"])
def late_reply(request: pytest.FixtureRequest) -> str:
    topic: str = request.param
    return topic


def simulation(
    runner: Runner, plan: plans.Plan, ended: Any = lambda _: True, changed: Changed = unchanged
) -> Simulation:
    """`ended`: whether the order has ended as it must."""

    def play(world: World) -> Check:
        run = Run(world, runner.style, [plan], plans.LONG)
        run.begin()

        def check() -> list[str]:
            ledger = run.ledger()
            (order,) = ledger.orders.values()
            wrong = [] if ended(order) else [f"it has ended otherwise: {order}"]
            return wrong + violations(replace(ledger, deadline=inf))

        return check

    return of(runner, play, changed)


def late(order: Order) -> bool:
    return (order.seconds or 0) > SECONDS / 2


def given_up(step: str) -> Any:
    def ended(order: Order) -> bool:
        seconds = order.seconds or 0
        return order.failed_step == step and STEP_SECONDS <= seconds < 2 * STEP_SECONDS

    return ended


@each_runner
@pytest.mark.parametrize("outage", [*UNDOS, "dispatch-shipment"], indirect=True)
def test_what_must_be_answered_is_asked_for_until_its_participant_is_back(
    runner: Runner, outage: Changed
) -> None:
    assert simulation(runner, NO_CARRIER, late, outage).replay([]).violations == []


@each_runner
@pytest.mark.parametrize("outage", ["dispatch-shipment"], indirect=True)
def test_a_process_completes_once_the_participant_of_its_pivot_is_back(
    runner: Runner, outage: Changed
) -> None:
    completed = lambda order: late(order) and order.confirmed  # noqa: E731
    assert simulation(runner, GOOD, completed, outage).replay([]).violations == []


@each_runner
@pytest.mark.parametrize(
    ("outage", "step"),
    [("reserve-stock", "ReserveStock"), ("capture-payment", "CapturePayment")],
    indirect=["outage"],
)
def test_a_step_that_is_not_answered_within_its_timeout_is_given_up_and_undone(
    runner: Runner, outage: Changed, step: str
) -> None:
    assert simulation(runner, GOOD, given_up(step), outage).replay([]).violations == []


@over_pubsub
def test_a_reply_that_comes_after_its_step_was_undone_changes_nothing(
    runner: Runner, late_reply: str
) -> None:
    step = next(each for each in FULFILMENT.steps if each.done.__name__ in _name(late_reply))
    changed = late_replies(late_reply)
    assert simulation(runner, GOOD, given_up(step.name), changed).replay([]).violations == []


@each_runner
@pytest.mark.parametrize("outage", UNDOS, indirect=True)
def test_a_compensation_that_gives_up_keeps_goods_or_money(
    monkeypatch: pytest.MonkeyPatch, runner: Runner, outage: Changed
) -> None:
    def undo(steps: Steps, stages: Any) -> Iterator[Any]:
        for step in (step for stage in reversed(stages) for step in stage):
            if step.undo is not None:
                asked = Asked(step, step.undo, steps._now)
                yield from steps._ask_for(asked, steps._start.timeout)

    not_undone = Manager._not_undone

    def left(manager: Manager, stage: Stage, progress: Progress) -> list[Step]:
        given_up = {asked.command for asked in progress.asked if asked.attempts > 3}
        return [
            step
            for step in not_undone(manager, stage, progress)
            if step.undo is None or step.undo.__name__ not in given_up
        ]

    monkeypatch.setattr(Steps, "_undo", undo)
    monkeypatch.setattr(Manager, "_not_undone", left)
    violated = simulation(runner, NO_CARRIER, changed=outage).replay([]).violations
    assert any(line.startswith(("I1", "I3")) for line in violated)


@over_pubsub
def test_if_what_nobody_answered_counted_as_not_done_goods_or_money_would_be_kept(
    monkeypatch: pytest.MonkeyPatch, runner: Runner, late_reply: str
) -> None:
    def not_done(step: Step, reason: str, may_be_done: bool) -> Failure:
        return Failure(step, reason, may_be_done=False)

    fail = Manager._failed

    def refused(manager: Manager, progress: Progress, step: Step, reason: str) -> Progress:
        failed = fail(manager, progress, step, reason)
        return replace(failed, refused=(*failed.refused, step.name))

    monkeypatch.setattr("chassis.saga.asking.Failure", not_done)
    monkeypatch.setattr(Manager, "_failed", refused)
    violated = simulation(runner, GOOD, changed=late_replies(late_reply)).replay([]).violations
    assert any(line.startswith(("I1", "I3")) for line in violated)


async def nothing(*_: Any) -> None:
    pass


@pytest.mark.parametrize("outage", [*UNDOS, "capture-payment"], indirect=True)
@pytest.mark.parametrize(
    ("owner", "method"), [(Hybrid, "look_at"), (Unfinished, "sweep"), (Unfinished, "add")]
)
def test_without_the_sweep_a_process_waits_for_ever_for_what_was_lost(
    monkeypatch: pytest.MonkeyPatch, outage: Changed, owner: Any, method: str
) -> None:
    monkeypatch.setattr(owner, method, nothing)
    violated = simulation(HYBRID, NO_CARRIER, changed=outage).replay([]).violations
    assert any("was accepted, and is placed" in line for line in violated)


def _name(topic: str) -> str:
    return topic.title().replace("-", "")
