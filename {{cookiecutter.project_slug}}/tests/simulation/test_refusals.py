"""One replica cannot read what another one can, and messages come twice: a refusal is final."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from chassis import CommandRefused, Ports, Rejected, Transaction, topic_of
from chassis.cloudevents import CloudEvent
from chassis.handlers import Step
from chassis.inbox import Delivery, Inbox, Outcome, Outgoing
from chassis.messages import type_of
from contracts.orders import CapturePayment
from testkit.simulation import schedules
from testkit.simulation.process import here
from tests.simulation.fulfilment import HYBRID, HYBRID_WORKFLOW, ORCHESTRATION, Runner, simulation

SCHEDULES = 60
#: As in test_guards.py.
WITHIN = 250
COMMANDED = [ORCHESTRATION, HYBRID, HYBRID_WORKFLOW]
TOPIC = topic_of(CapturePayment)


class Twice:
    """A proxy sends the request again, and a broker its message."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        ask = self._ports.participants.ask
        if topic == TOPIC:
            asyncio.create_task(ask(app_id, command, topic))  # noqa: RUF006
        return await ask(app_id, command, topic)

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        times = 2 if topic == TOPIC else 1
        await self._ports.broker.publish(topic, [*events] * times)

    async def close(self) -> None:
        pass


def half_upgraded(ports: Ports) -> Ports:
    """Orders sends what the second replica of payments does not know yet, and it comes twice."""

    async def run_step(step: Step, event: CloudEvent, tx: Transaction) -> Sequence[Outcome]:
        if step.topic == TOPIC and here().name == "payments-2":
            raise Rejected(f"type {event.type!r} is not known here")
        return await ports.run_step(step, event, tx)

    twice = Twice(ports)
    return replace(ports, participants=twice, broker=twice, run_step=run_step)


@pytest.mark.parametrize("runner", COMMANDED, ids=str)
def test_what_one_replica_refused_no_other_one_does(runner: Runner) -> None:
    simulation(runner, half_upgraded).explore(schedules(SCHEDULES))


@pytest.mark.parametrize("runner", COMMANDED, ids=str)
def test_a_refusal_that_is_not_recorded_is_none(
    monkeypatch: pytest.MonkeyPatch, runner: Runner
) -> None:
    run_once = Inbox.run_once

    async def forgetful(inbox: Inbox, delivery: Delivery, tx: Transaction) -> tuple[Outgoing, ...]:
        outgoing = await run_once(inbox, delivery, tx)
        if any(each.event.type == type_of(CommandRefused) for each in outgoing):
            tx.discard()
        return outgoing

    monkeypatch.setattr(Inbox, "run_once", forgetful)
    fulfilment = simulation(runner, half_upgraded)
    assert any(
        violation.startswith("I3: order")
        for seed in range(WITHIN)
        for violation in fulfilment.seeded(seed).violations
    )
