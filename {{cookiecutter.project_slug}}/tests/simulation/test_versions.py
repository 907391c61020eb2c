"""A message gets a new version while the old one is in flight: in events, replies and histories."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from chassis import Ports
from chassis.cloudevents import CloudEvent
from chassis.handlers import Step
from chassis.inbox import Outcome
from chassis.messages import type_of
from chassis.service import Service
from chassis.transaction import Transaction
from contracts.base import Event
from contracts.orders import OfOrder, OrderDetails, PaymentCaptured
from testkit import in_flight
from testkit.simulation import Changed, Check, Simulation, World, schedules, unchanged
from testkit.simulation.process import here
from tests.invariants import violations
from tests.simulation import plans
from tests.simulation.fulfilment import RUNNERS, Run, Runner, of


class PaymentCapturedV2(OfOrder, Event):
    topic = "payment-captured"
    version = 2

    order: OrderDetails
    amount_euros: float


OLD, NEW = type_of(PaymentCaptured), type_of(PaymentCapturedV2)


class Upgrade:
    """One replica of payments is of the next release; all others are of the one before it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, not_at: str = "") -> None:
        self._monkeypatch, self._not_at = monkeypatch, not_at
        self.read: set[str] = set()

    def teach(self, simulated: Simulation) -> None:
        """Let the services read the new version, less at the one place."""
        for reader in readers(simulated):
            if OLD in reader.messages and reader.place != self._not_at:
                self._monkeypatch.setitem(reader.messages, NEW, PaymentCapturedV2)

    def changed(self, ports: Ports) -> Ports:
        async def run_step(step: Step, event: CloudEvent, tx: Transaction) -> Sequence[Outcome]:
            outcomes = await ports.run_step(step, event, tx)
            self.read.add(event.type)
            return tuple(map(newer, outcomes)) if here().name == "payments-1" else outcomes

        return replace(ports, run_step=run_step)


def services(simulated: Simulation) -> Iterator[Service]:
    for replicas in simulated.members.values():
        for replica in replicas:
            yield replica.service


def readers(simulated: Simulation) -> Iterator[in_flight.Reader]:
    for service in services(simulated):
        yield from in_flight.readers(service)


def newer(outcome: Outcome) -> Outcome:
    if not isinstance(outcome, PaymentCaptured):
        return outcome
    return PaymentCapturedV2(
        order_id=outcome.order_id, order=outcome.order, amount_euros=outcome.amount_cents / 100
    )


def simulation(runner: Runner, changed: Changed = unchanged) -> Simulation:
    """Nothing is a dead letter, and no step is given up: there is nothing that nobody can read."""

    def play(world: World) -> Check:
        run = Run(world, runner.style, plans.pick(world, contended=True), plans.ENDLESS)
        run.begin()

        def check() -> list[str]:
            ledger = run.ledger()
            dead = sorted(f"dead letter: {each}" for each in ledger.dead_letters)
            return [*dead, *violations(ledger), *undeclared(world, simulated)]

        return check

    simulated = of(runner, play, changed)
    return simulated


def undeclared(world: World, simulated: Simulation) -> list[str]:
    declared = {
        service.settings.app_id: {NEW, *map(type_of, in_flight.publishes(service))}
        for service in services(simulated)
    }
    return [
        f"{event.source} publishes {event.type}, which it does not name"
        for event in (each.event for each in world.broker.log)
        if event and event.source in declared and event.type not in declared[event.source]
    ]


PLACES = sorted(
    {
        reader.place
        for runner in RUNNERS
        for reader in readers(simulation(runner))
        if OLD in reader.messages
    }
)


@pytest.mark.parametrize("runner", RUNNERS, ids=str)
def test_both_versions_are_handled_while_an_upgrade_is_under_way(
    monkeypatch: pytest.MonkeyPatch, runner: Runner
) -> None:
    upgrade = Upgrade(monkeypatch)
    simulated = simulation(runner, upgrade.changed)
    upgrade.teach(simulated)
    simulated.explore(schedules(40))
    assert {OLD, NEW} <= upgrade.read


@pytest.mark.parametrize("place", PLACES)
def test_each_place_that_the_check_names_has_to_read_both(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    upgrade = Upgrade(monkeypatch, not_at=place)
    simulations = [simulation(runner, upgrade.changed) for runner in RUNNERS]
    for each in simulations:
        upgrade.teach(each)
    # Without faults and choices, the first replica of each service does all.
    assert any(each.replay([]).violations for each in simulations)
