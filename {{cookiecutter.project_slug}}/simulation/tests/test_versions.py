"""A message gets a new version while the old one is in flight: in events, replies and histories."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chassis import Ports
from chassis.cloudevents import CloudEvent
from chassis.handlers import Step
from chassis.messages import Message, type_of
from chassis.simulation import Check, Simulation, World, schedules
from chassis.simulation.process import here
from chassis.testing import in_flight
from chassis.transaction import Transaction
from contracts import Event, OrderDetails, PaymentCaptured
from devstack import scopes
from invariants import violations
from orders.domain import Style
from simulation import plans
from simulation.fulfilment import Run, of


class PaymentCapturedV2(Event):
    topic = "payment-captured"
    version = 2

    order: OrderDetails
    amount_euros: float


OLD, NEW = type_of(PaymentCaptured), type_of(PaymentCapturedV2)


class Upgrade:
    """One replica of payments is of the next release; all others are of the one before it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, not_at: str = "") -> None:
        self.read: set[str] = set()
        for reader in services_readers():
            if OLD in reader.messages and reader.place != not_at:
                monkeypatch.setitem(reader.messages, NEW, PaymentCapturedV2)

    def changed(self, ports: Ports) -> Ports:
        async def run_step(step: Step, event: CloudEvent, tx: Transaction) -> Sequence[Message]:
            outcomes = await ports.run_step(step, event, tx)
            self.read.add(event.type)
            return tuple(map(newer, outcomes)) if here().name == "payments-1" else outcomes

        return replace(ports, run_step=run_step)


SERVICES = {name: scopes.service(name) for name in scopes.service_names()}


def services_readers() -> list[in_flight.Reader]:
    return [reader for service in SERVICES.values() for reader in in_flight.readers(service)]


READERS = sorted({reader.place for reader in services_readers() if OLD in reader.messages})


def newer(outcome: Message) -> Message:
    if not isinstance(outcome, PaymentCaptured):
        return outcome
    return PaymentCapturedV2(
        order_id=outcome.order_id, order=outcome.order, amount_euros=outcome.amount_cents / 100
    )


def simulation(style: Style, upgrade: Upgrade) -> Simulation:
    """Nothing is a dead letter, and no step is given up: there is nothing that nobody can read."""

    def play(world: World) -> Check:
        run = Run(world, style, plans.pick(world, contended=True), plans.ENDLESS)
        run.begin()

        def check() -> list[str]:
            books = run.books()
            dead = sorted(f"dead letter: {each}" for each in books.dead_letters)
            return [*dead, *violations(books), *undeclared(world)]

        return check

    return of(style, play, upgrade.changed)


def undeclared(world: World) -> list[str]:
    declared = {
        name: {NEW, *map(type_of, in_flight.publishes(service))}
        for name, service in SERVICES.items()
    }
    return [
        f"{event.source} publishes {event.type}, which it does not name"
        for event in (each.event for each in world.broker.log)
        if event and event.source in declared and event.type not in declared[event.source]
    ]


@pytest.mark.parametrize("style", Style)
def test_both_versions_are_handled_while_an_upgrade_is_under_way(
    monkeypatch: pytest.MonkeyPatch, style: Style
) -> None:
    upgrade = Upgrade(monkeypatch)
    simulation(style, upgrade).explore(schedules(40))
    assert {OLD, NEW} <= upgrade.read


@pytest.mark.parametrize("place", READERS)
def test_each_place_that_the_check_names_has_to_read_both(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    upgrade = Upgrade(monkeypatch, not_at=place)
    # Without faults and choices, the first replica of each service does all.
    assert any(simulation(style, upgrade).replay([]).violations for style in Style)
