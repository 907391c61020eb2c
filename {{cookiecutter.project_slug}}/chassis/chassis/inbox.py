"""The inbox of a service: what one message led to, stored with what it did."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from chassis.cloudevents import CloudEvent, derived_id, envelope
from chassis.errors import UsedBefore
from chassis.handlers import Step
from chassis.messages import Message, topic_of
from chassis.telemetry import consuming
from chassis.transaction import Transaction

#: Where an outcome goes: a topic, or None when it is the answer to a call and is not published.
Destination = Callable[[type[Message]], str | None]


def to_its_topic(outcome: type[Message]) -> str | None:
    """Choreography: an event goes to whoever subscribes to it."""
    return topic_of(outcome)


def to_the_caller(_: type[Message]) -> str | None:
    """Orchestration: the answer is the response, and nobody else hears it."""
    return None


class Outgoing(BaseModel):
    """An outcome exactly as it is sent, the first time and every time."""

    topic: str | None
    event: CloudEvent


class InboxRecord(BaseModel):
    fingerprint: str
    outcomes: tuple[Outgoing, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to the step that handles it."""

    event: CloudEvent
    step: Step
    destination: Destination


@dataclass(frozen=True, slots=True)
class Inbox:
    """Runs a delivery unless its record is there; then the recorded outcomes stand.

    The record is written in the transaction of the handler's own writes, so neither is ever stored
    without the other. `ttl_seconds` must be longer than any broker may wait to redeliver.
    """

    source: str
    ttl_seconds: int

    async def run_once(self, delivery: Delivery, tx: Transaction) -> tuple[Outgoing, ...]:
        event = delivery.event
        key = f"inbox:{event.id}"
        recorded = await tx.get(key, InboxRecord)
        if recorded is not None:
            if recorded.fingerprint != event.fingerprint:
                raise UsedBefore(f"id {event.id!r} was used before, for other content")
            return recorded.outcomes

        with consuming(event, delivery.step.topic) as traceparent:
            outcomes = await delivery.step.run(event, tx)
            outgoing = tuple(
                Outgoing(
                    topic=delivery.destination(type(outcome)),
                    event=envelope(
                        outcome,
                        # Derived, so that a consumer knows an outcome that is sent again.
                        id=derived_id(event.id, self.source, str(position)),
                        source=self.source,
                        traceparent=traceparent,
                        causationid=event.id,
                    ),
                )
                for position, outcome in enumerate(outcomes)
            )
        record = InboxRecord(fingerprint=event.fingerprint, outcomes=outgoing)
        tx.put(key, record, ttl_seconds=self.ttl_seconds)
        return outgoing
