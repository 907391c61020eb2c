"""Messages in, over pub/sub, and a verdict for each message.

What can never succeed is kept as a dead letter here, and is then done. The sidecar's own way, the
verdict DROP, is not used. In a bulk, daprd 1.18 acknowledges the message even when it could not
publish it to the dead-letter topic; and when the bulk has shrunk, by a retry or by a message that
is not JSON, it panics or dead-letters another message instead. For that, too, every subscription is
a raw one: the bytes are ours to read. The dead-letter topic is for what the sidecar gives up on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI, Request

from chassis import deliveries
from chassis.cloudevents import CloudEvent
from chassis.deadletters import Attempts, DeadLetter, KeptLetters, letter_id
from chassis.deadletters.letter import UNKNOWN_CAUSE, cause_of, read_event
from chassis.deliveries import RETRY, SUCCESS
from chassis.errors import Rejected, Unavailable
from chassis.handlers import Handlers, Step
from chassis.inbox import Destination
from chassis.logs import about
from chassis.metrics import dead_lettered, received
from chassis.processor import Processor
from chassis.settings import ServiceSettings

log = logging.getLogger(__name__)

Then = Callable[[CloudEvent], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A step, where its outcomes go (None: to the message's `replyto`), and what follows them."""

    step: Step
    destination: Destination | None
    then: Then | None


class Subscriptions(DaprApp):
    """`DaprApp`, which answers /dapr/subscribe, with the bulk delivery that it cannot ask for."""

    def __init__(
        self, app: FastAPI, settings: ServiceSettings, processor: Processor, kept: KeptLetters
    ) -> None:
        super().__init__(app)
        self._settings = settings
        self._processor = processor
        self._kept = kept
        self._attempts = Attempts()
        self._by_topic: dict[str, Subscription] = {}

    def add(
        self, handlers: Handlers, destination: Destination | None, then: Then | None = None
    ) -> None:
        """Subscribe each handler to its topic.

        Outcomes go to the destination, or, without one, to the `replyto` of the message. What is
        to happen `then`, after the commit and before the acknowledgement, may happen again.
        """
        if not self._by_topic:
            self._subscribe(self._settings.dead_letter_topic, self._keep_forwarded)
        for step in handlers:
            if step.topic in self._by_topic:
                raise ValueError(f"topic {step.topic!r} has a handler in this service already")
            self._by_topic[step.topic] = Subscription(step, destination, then)
            self._subscribe(step.topic, self._verdict)

    @property
    def heard(self) -> frozenset[str]:
        """The topics that this service subscribes to."""
        return frozenset(str(subscription["topic"]) for subscription in self._subscriptions)

    @property
    def told(self) -> frozenset[str]:
        """The topics that its handlers and its sidecar publish to, less where replies go."""
        outcomes = (
            subscription.destination(outcome)
            for subscription in self._by_topic.values()
            if subscription.destination is not None
            for outcome in subscription.step.outcomes
        )
        dead_letters = {self._settings.dead_letter_topic} if self._by_topic else set()
        return frozenset(topic for topic in outcomes if topic) | dead_letters

    @property
    def commands(self) -> frozenset[str]:
        """The topics whose messages say where their outcomes go."""
        return frozenset(
            topic
            for topic, each in self._by_topic.items()
            if each.destination is None and each.then is None
        )

    @property
    def replies(self) -> frozenset[str]:
        """The topics of replies to what this service's workflows ask."""
        return frozenset(topic for topic, each in self._by_topic.items() if each.then is not None)

    async def handle(self, event: CloudEvent, topic: str) -> None:
        """Bring an event of this topic to its effect.

        Raises `Unavailable`, `OSError` or `TimeoutError` if it may succeed later, anything else
        if it never will.
        """
        subscription = self._by_topic.get(topic)
        if subscription is None:
            raise Rejected(f"{self._settings.app_id} does not subscribe to {topic!r}")
        await self._processor.process(
            event, subscription.step, subscription.destination or (lambda _: event.replyto)
        )
        if subscription.then is not None:
            await subscription.then(event)

    def _subscribe(self, topic: str, verdict: Callable[[bytes, str], Awaitable[str]]) -> None:
        async def deliver(request: Request) -> dict[str, Any]:
            arrived = deliveries.read(await request.body())
            messages = arrived.messages
            received(topic, "pubsub", len(messages))
            return arrived.answer(await asyncio.gather(*(verdict(raw, topic) for raw in messages)))

        route = f"/events/{topic}"
        self._app.add_api_route(
            route, deliver, methods=["POST"], tags=["Events"], max_body_size=deliveries.MAX_BYTES
        )
        self._subscriptions.append(
            {
                "pubsubname": self._settings.pubsub,
                "topic": topic,
                "route": route,
                "metadata": {"rawPayload": "true"},
                # The dead-letter topic's own is itself: a letter that could not be kept for as
                # long as the retry policy lasts is queued again, not lost.
                "deadLetterTopic": self._settings.dead_letter_topic,
                "bulkSubscribe": deliveries.BULKS | {"enabled": self._settings.bulk_delivery},
            }
        )

    async def _verdict(self, raw: bytes, topic: str) -> str:
        try:
            event = read_event(raw)
        except Rejected as error:
            return await self._give_up(raw, topic, error)
        with about(event):
            try:
                await self.handle(event, topic)
            except (Unavailable, OSError, TimeoutError) as error:
                self._attempts.failed(letter_id(raw), topic, cause_of(error))
                log.warning("%s %s: will be tried again: %s", topic, event.id, cause_of(error))
                return RETRY
            except Exception as error:
                if not isinstance(error, Rejected):
                    log.exception("%s %s: the handler failed", topic, event.id)
                return await self._give_up(raw, topic, error)
        if self._attempts:
            self._attempts.take(letter_id(raw))
        return SUCCESS

    async def _give_up(self, raw: bytes, topic: str, error: Exception) -> str:
        failed = self._attempts.failed(letter_id(raw), topic, cause_of(error))
        return await self._keep(raw, topic, failed.cause, failed.count)

    async def _keep_forwarded(self, raw: bytes, _: str) -> str:
        """A letter that comes from the sidecar, which says nothing of why."""
        known = self._attempts.take(letter_id(raw))
        if known is not None:
            return await self._keep(raw, known.topic, known.cause, known.count)
        return await self._keep(raw, self._topic_of(raw), UNKNOWN_CAUSE, 0)

    async def _keep(self, raw: bytes, topic: str | None, cause: str, attempts: int) -> str:
        letter = DeadLetter.of(raw, topic=topic, cause=cause, attempts=attempts)
        try:
            await self._kept.keep(letter)
        except Exception as error:
            # Not acknowledged, so it comes again: the store may be away.
            log.error("%s: dead letter %s could not be kept yet: %r", topic, letter.id, error)
            if topic is not None:
                self._attempts.restore(letter.id, topic, cause, attempts)
            return RETRY
        self._attempts.take(letter.id)
        dead_lettered()
        log.error("%s: dead-lettered as %s: %s", topic, letter.id, cause)
        return SUCCESS

    def _topic_of(self, raw: bytes) -> str | None:
        """Where a message was published, by its type: each type arrives here on one topic."""
        try:
            kind = read_event(raw).type
        except Rejected:
            return None
        topics = [t for t, each in self._by_topic.items() if kind in each.step.messages]
        return topics[0] if len(topics) == 1 else None
