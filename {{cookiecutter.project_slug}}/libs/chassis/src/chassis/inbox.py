"""The inbox of a service: what one message led to, stored with what it did."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel

from chassis.cloudevents import Attributes, CloudEvent, derived_id, envelope
from chassis.content import Content, content_of, contradicts
from chassis.errors import Rejected, Undone, UsedBefore
from chassis.handlers import Handlers, Request, Step
from chassis.messages import Message, topic_of, type_of
from chassis.refusal import CommandRefused
from chassis.telemetry import consuming
from chassis.transaction import Transaction

log = logging.getLogger(__name__)

#: Where an outcome goes: a topic, or None when it is the answer to a call and is not published.
Destination = Callable[[type[Message]], str | None]

Outcome = Message | Request
RunStep = Callable[[Step, CloudEvent, Transaction], Awaitable[Sequence[Outcome]]]


def run_step(step: Step, event: CloudEvent, tx: Transaction) -> Awaitable[Sequence[Outcome]]:
    return step.run(event, tx)


def to_its_topic(outcome: type[Message]) -> str | None:
    """Choreography: an event goes to whoever subscribes to it."""
    return topic_of(outcome)


def to_the_caller(_: type[Message]) -> str | None:
    """Orchestration: the answer is the response, and nobody else gets it."""
    return None


class Outgoing(BaseModel):
    """An outcome exactly as it is sent, the first time and every time."""

    topic: str | None
    event: CloudEvent


class InboxRecord(BaseModel):
    #: What the sender said: see `chassis.content`.
    content: Content
    outcomes: tuple[Outgoing, ...]


def inbox_key(event: Attributes) -> str:
    """CloudEvents promises that source and id together are unique; an id alone is not."""
    return f"inbox:{derived_id(event.source, event.id)}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to the step that handles it."""

    event: CloudEvent
    step: Step
    destination: Destination
    #: Its sender waits for a reply, so what can never succeed is answered, not raised.
    is_command: bool = False
    #: A request of an API: its key is compared for as long as what it made exists.
    lasts: bool = False
    #: Called when it runs beside the groups from now on. Raises `Busy` if there is no room for it.
    runs_apart: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Inbox:
    """Runs a delivery unless its record is there; then the recorded outcomes stand.

    The record is written in the transaction of the handler's own writes, so neither is ever stored
    without the other. `ttl_seconds` must be longer than any broker may wait to redeliver. What a
    saga asks for until it is done has a record that lasts.
    """

    source: str
    ttl_seconds: int
    #: Whose barriers are read together with the record: one call of the store less.
    commands: list[Handlers] = field(default_factory=list)
    #: Of an outcome. What a broker does not carry is refused before anything is stored.
    max_event_bytes: int = 256 * 1024
    run_step: RunStep = run_step

    async def run_once(self, delivery: Delivery, tx: Transaction) -> tuple[Outgoing, ...]:
        event = delivery.event
        key = inbox_key(event)
        await tx.fetch(key, *(k for each in self.commands for k in each.barriers(event.subject)))
        recorded = await tx.get(key, InboxRecord)
        if recorded is not None:
            if contradicts(recorded.content, content_of(event.type, event.data)):
                raise UsedBefore(
                    f"id {event.id!r} of {event.source!r} was used before, for other content"
                )
            return recorded.outcomes

        with consuming(event, delivery.step.topic) as traceparent:
            outgoing = await self._run(delivery, tx, traceparent)
        record = InboxRecord(content=content_of(event.type, event.data), outcomes=outgoing)
        lasts = delivery.lasts or self._is_asked_for_until_done(delivery, outgoing)
        tx.put(key, record, ttl_seconds=None if lasts else self.ttl_seconds)
        return outgoing

    def _is_asked_for_until_done(self, delivery: Delivery, outgoing: Sequence[Outgoing]) -> bool:
        """An undo, and what has none: asked for, perhaps, for longer than the TTL.

        Its record keeps it from being done once more then. A refusal is asked for no more under
        this id; nor is what can be undone, soon after.
        """
        message = delivery.step.messages.get(delivery.event.type)
        if not delivery.is_command or message is None:
            return False
        if any(each.event.type == type_of(CommandRefused) for each in outgoing):
            return False
        return not any(each.can_be_undone(message) for each in self.commands)

    async def _run(
        self, delivery: Delivery, tx: Transaction, traceparent: str | None
    ) -> tuple[Outgoing, ...]:
        try:
            outcomes = await self.run_step(delivery.step, delivery.event, tx)
            return self._sent(delivery, outcomes, traceparent, tx.now)
        except Rejected as error:
            if not delivery.is_command:
                if not isinstance(error, Undone) or error.topic == delivery.step.topic:
                    raise
                # A reaction whose step was undone by an event that overtook this one. That step
                # said that it is undone, so nobody waits for another outcome.
                log.info("%s leads to nothing: %s", delivery.step.topic, error)
                return ()
            # Order matters: nothing is left of the step when the refusal is recorded.
            tx.discard()
            refused = CommandRefused.of(delivery.event, error)
            return self._sent(delivery, (refused,), traceparent, tx.now)

    def _sent(
        self,
        delivery: Delivery,
        outcomes: Sequence[Outcome],
        traceparent: str | None,
        now: datetime,
    ) -> tuple[Outgoing, ...]:
        """Raises `Rejected` for an outcome that could be stored, and never be sent."""
        sent = tuple(
            self._outgoing(delivery, outcome, position, traceparent, now)
            for position, outcome in enumerate(outcomes)
        )
        for outgoing in sent:
            size = len(outgoing.event.on_the_wire())
            if size > self.max_event_bytes:
                raise Rejected(
                    f"the outcome {outgoing.event.type} has {size} bytes, more than the "
                    f"{self.max_event_bytes} of max_body_bytes"
                )
        return sent

    def _outgoing(
        self,
        delivery: Delivery,
        outcome: Outcome,
        position: int,
        traceparent: str | None,
        now: datetime,
    ) -> Outgoing:
        event = delivery.event
        message = outcome.command if isinstance(outcome, Request) else outcome
        return Outgoing(
            topic=delivery.destination(type(message)),
            event=envelope(
                message,
                # Derived, so that a consumer knows an outcome that is sent again.
                id=outcome.id
                if isinstance(outcome, Request)
                else derived_id(event.source, event.id, self.source, str(position)),
                source=self.source,
                traceparent=traceparent,
                replyto=outcome.replyto if isinstance(outcome, Request) else None,
                causationid=event.id,
                time=now,
                exclude_unset=isinstance(outcome, Request),
            ),
        )
