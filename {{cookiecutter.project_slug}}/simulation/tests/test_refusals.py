"""One replica cannot read what another one can, and messages come twice: a refusal is final."""

import asyncio
from typing import Any

import pytest

from chassis import CommandRefused, Rejected, Transaction, topic_of
from chassis.cloudevents import CloudEvent
from chassis.handlers import Step
from chassis.inbox import Delivery, Inbox, Outgoing
from chassis.messages import type_of
from chassis.simulation import schedules
from chassis.simulation.broker import Published, SimulatedBroker
from chassis.simulation.calls import SimulatedParticipants
from chassis.simulation.process import here
from contracts import CapturePayment
from simulation.fulfilment import HYBRID, HYBRID_WORKFLOW, ORCHESTRATION, Runner, simulation

SCHEDULES = 60
#: As in test_guards.py.
WITHIN = 250
COMMANDED = [ORCHESTRATION, HYBRID, HYBRID_WORKFLOW]
TOPIC = topic_of(CapturePayment)


@pytest.fixture(autouse=True)
def _half_upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders sends what the second replica of payments does not know yet."""
    run = Step.run

    async def run_release(step: Step, event: CloudEvent, tx: Transaction) -> Any:
        if step.topic == TOPIC and here().name == "payments-2":
            raise Rejected(f"type {event.type!r} is not known here")
        return await run(step, event, tx)

    monkeypatch.setattr(Step, "run", run_release)


@pytest.fixture(autouse=True)
def _twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy sends the request again, and a broker its message."""
    ask, publish = SimulatedParticipants.ask, SimulatedBroker.publish_raw

    async def ask_twice(
        participants: SimulatedParticipants, app_id: str, command: CloudEvent, topic: str
    ) -> CloudEvent:
        if topic == TOPIC:
            asyncio.create_task(ask(participants, app_id, command, topic))  # noqa: RUF006
        return await ask(participants, app_id, command, topic)

    def publish_twice(broker: SimulatedBroker, message: Published) -> None:
        publish(broker, message)
        if message.topic == TOPIC:
            publish(broker, message)

    monkeypatch.setattr(SimulatedParticipants, "ask", ask_twice)
    monkeypatch.setattr(SimulatedBroker, "publish_raw", publish_twice)


@pytest.mark.parametrize("runner", COMMANDED, ids=str)
def test_what_one_replica_refused_no_other_one_does(runner: Runner) -> None:
    simulation(runner).explore(schedules(SCHEDULES))


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
    fulfilment = simulation(runner)
    assert any(
        violation.startswith("I3: order")
        for seed in range(WITHIN)
        for violation in fulfilment.seeded(seed).violations
    )
