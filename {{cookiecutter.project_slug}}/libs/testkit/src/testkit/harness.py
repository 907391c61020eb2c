"""Handlers, run the way they run live: through the inbox, one transaction, and the broker."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from chassis.cloudevents import CloudEvent, envelope
from chassis.handlers import Handler, Handlers, Outcome, Request, Step, read
from chassis.inbox import Inbox
from chassis.messages import Message, type_of
from chassis.processor import Processor
from chassis.transaction import Transaction
from testkit.memory import MemoryBroker, MemoryStore


class Harness:
    """Handlers of one service between a store and a broker; it restarts before each message.

    `assert await Harness(events).handle(Deposited(...)) == [Withdrawn(...)]`
    """

    def __init__(self, *handlers: Handlers, source: str = "service") -> None:
        self.store = MemoryStore()
        self.broker = MemoryBroker()
        self._steps = [step for registry in handlers for step in registry]
        self._inbox = Inbox(source, ttl_seconds=3600)
        self._outcomes: dict[str, type[Message]] = {}

    async def handle(
        self, message: Message, *, id: str | None = None, time: datetime | None = None
    ) -> list[Message]:
        """What the message led to. Without an id, it is a new message."""
        event = envelope(message, id=id or str(uuid4()), source="test", traceparent=None, time=time)
        return [read(outcome, self._outcomes) for outcome in await self.deliver(event)]

    async def deliver(self, event: CloudEvent) -> tuple[CloudEvent, ...]:
        """The same with envelopes, as a broker would deliver it."""
        processor = Processor(self.store, self.broker, self._inbox)
        processor.start()
        try:
            return await processor.process(event, self._step_for(event))
        finally:
            await processor.stop()

    def _step_for(self, event: CloudEvent) -> Step:
        for step in self._steps:
            if event.type in step.messages:
                return replace(step, handler=self._noting_outcomes_of(step.handler))
        raise LookupError(f"none of these handlers takes {event.type}")

    def _noting_outcomes_of(self, handler: Handler[Any]) -> Handler[Any]:
        async def run(message: Any, tx: Transaction) -> Outcome:
            outcome = await handler(message, tx)
            outcomes = () if outcome is None else outcome
            for each in outcomes if isinstance(outcomes, Sequence) else (outcomes,):
                kind = type(each.command if isinstance(each, Request) else each)
                self._outcomes[type_of(kind)] = kind
            return outcome

        return run
