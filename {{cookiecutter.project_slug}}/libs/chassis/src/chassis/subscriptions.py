"""Messages in, over pub/sub, and an answer for each message.

What can never succeed is kept as a dead letter here, and what may succeed later is kept and tried
again here; either is then acknowledged. The sidecar tries again only what could not be kept. Its
answer DROP is not used: in a bulk, daprd 1.18 acknowledges the message even when it could not
publish it to the dead-letter topic; and when the bulk has shrunk, by a retry or by a message that
is not JSON, it panics or dead-letters another message instead. For that, too, every subscription is
a raw one: the bytes are ours to read. The dead-letter topic is for what the sidecar gives up on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from dapr.ext.fastapi import DaprApp
from fastapi import APIRouter, FastAPI, Request

from chassis import deliveries
from chassis.budget import ByteBudget
from chassis.cloudevents import CloudEvent, read_attributes, read_event
from chassis.deadletters import Attempts, DeadLetter, KeptLetters, letter_id
from chassis.deadletters.letter import UNKNOWN_CAUSE, Kind, cause_of
from chassis.deadletters.retries import Retries
from chassis.deliveries import RETRY, SUCCESS
from chassis.errors import TRANSIENT, Busy, Rejected, Unavailable, Unsent
from chassis.guard import DeliveryRoute
from chassis.handlers import Handlers, Step
from chassis.inbox import Destination
from chassis.logs import about
from chassis.metrics import dead_lettered, received
from chassis.ports import Clock, Random
from chassis.processor import Processor
from chassis.settings import ServiceSettings

log = logging.getLogger(__name__)

#: The message, and its outcomes.
Then = Callable[[CloudEvent, Sequence[CloudEvent]], Awaitable[None]]
Answer = Callable[[Sequence[bytes], str], Awaitable[list[str]]]

#: Seconds after which a delivery no longer waits for its slowest message.
SLOW_SECONDS = 5.0
#: Bytes of the messages that are read and not done with: thirty times as many in Python's memory.
MAX_HANDLED = 2 * 1024 * 1024
#: The same of those whose handlers are slow: they hold up no others.
MAX_SLOW_HANDLED = 1024 * 1024
#: Between two looks at a store that is away. Meanwhile nothing is handled, only answered RETRY.
PROBE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Subscription:
    """A step, where its outcomes go (None: to the message's `replyto`), and what follows them."""

    step: Step
    destination: Destination | None
    then: Then | None
    are_replies: bool

    @property
    def is_for_commands(self) -> bool:
        """Whether its messages say where their outcomes go."""
        return self.destination is None and not self.are_replies


class Subscriptions(DaprApp):
    """`DaprApp`, which answers /dapr/subscribe, with the bulk delivery that it cannot ask for."""

    def __init__(
        self,
        app: FastAPI,
        settings: ServiceSettings,
        processor: Processor,
        kept: KeptLetters,
        clock: Clock,
        random: Random,
    ) -> None:
        routes = APIRouter(route_class=DeliveryRoute, tags=["Events"])
        # All that it does with an app is to add routes; these say who may call them.
        super().__init__(cast(FastAPI, routes))
        # Order matters: the route of any topic comes after those of the known ones.
        others = APIRouter(route_class=DeliveryRoute, include_in_schema=False)
        others.add_api_route("/events/{topic}", _unknown, methods=["POST"])
        app.include_router(routes)
        app.include_router(others)
        self._settings = settings
        self._processor = processor
        self._kept = kept
        self._clock = clock
        self._intake = deliveries.Intake()
        self.slow_seconds = SLOW_SECONDS
        self.handled = ByteBudget(MAX_HANDLED)
        self._slow_handled = ByteBudget(MAX_SLOW_HANDLED)
        self._attempts = Attempts()
        self.retries = Retries(settings, kept, self._attempt, clock, random)
        self._probing: asyncio.Task[None] | None = None
        self._by_topic: dict[str, Subscription] = {}

    def add(
        self,
        handlers: Handlers,
        destination: Destination | None,
        then: Then | None = None,
        *,
        are_replies: bool = False,
    ) -> None:
        """Subscribe each handler to its topic.

        Outcomes go to the destination, or, without one, to the `replyto` of the message. What is
        to happen `then`, after the commit and before the acknowledgement, may happen again. Of
        commands, what can never succeed is answered: see `CommandRefused`.
        """
        if not self._by_topic:
            self._subscribe(self._settings.dead_letter_topic, self._answer_forwarded)
        for step in handlers:
            if step.topic in self._by_topic:
                raise ValueError(f"topic {step.topic!r} has a handler in this service already")
            self._by_topic[step.topic] = Subscription(step, destination, then, are_replies)
            self._subscribe(step.topic, self._answer)

    @property
    def subscribed(self) -> frozenset[str]:
        """The topics that this service subscribes to."""
        return frozenset(str(subscription["topic"]) for subscription in self._subscriptions)

    @property
    def published(self) -> frozenset[str]:
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
        return frozenset(topic for topic, each in self._by_topic.items() if each.is_for_commands)

    @property
    def replies(self) -> frozenset[str]:
        """The topics of replies to what this service asks."""
        return frozenset(topic for topic, each in self._by_topic.items() if each.are_replies)

    @property
    def is_waiting_for_the_store(self) -> bool:
        """A message that failed could not be kept, and until it could, none is handled."""
        return self._probing is not None and not self._probing.done()

    async def handle(
        self, event: CloudEvent, topic: str, runs_apart: Callable[[], None] = lambda: None
    ) -> None:
        """Bring an event of this topic to its effect.

        Raises `Unavailable`, `OSError` or `TimeoutError` if it may succeed later, anything else
        if it never will.
        """
        subscription = self._by_topic.get(topic)
        if subscription is None:
            raise Rejected(f"{self._settings.app_id} does not subscribe to {topic!r}")
        outcomes = await self._processor.process(
            event,
            subscription.step,
            subscription.destination or (lambda _: event.replyto),
            is_command=subscription.is_for_commands and event.replyto is not None,
            runs_apart=runs_apart,
        )
        if subscription.then is not None:
            try:
                await subscription.then(event, outcomes)
            except TRANSIENT as error:
                raise Unsent(cause_of(error)) from error

    def _subscribe(self, topic: str, answer: Answer) -> None:
        async def answer_counted(messages: Sequence[bytes]) -> list[str]:
            received(topic, "pubsub", len(messages))
            return await answer(messages, topic)

        async def deliver(request: Request) -> dict[str, Any]:
            return await self._intake.take(request, answer_counted)

        route = f"/events/{topic}"
        self._app.add_api_route(
            route, deliver, methods=["POST"], max_body_size=deliveries.MAX_BYTES
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

    async def _answer(self, messages: Sequence[bytes], topic: str) -> list[str]:
        """One answer for each message; none of them waits for one that is slow."""
        if self.is_waiting_for_the_store:
            return [RETRY] * len(messages)
        attempts = [asyncio.create_task(self._attempt(raw, topic)) for raw in messages]
        if attempts:
            await asyncio.wait(attempts, timeout=self.slow_seconds)
        # Together, so that the letters of all that failed are one commit.
        return await asyncio.gather(
            *(
                self._answer_one(raw, topic, attempt)
                for raw, attempt in zip(messages, attempts, strict=True)
            )
        )

    async def _answer_one(
        self, raw: bytes, topic: str, attempt: "asyncio.Task[Exception | None]"
    ) -> str:
        if not attempt.done():
            slow = TimeoutError(f"being handled for longer than {self.slow_seconds:.0f} s")
            if await self._is_taken_over(raw, topic, slow, attempt):
                return SUCCESS
        error = await attempt
        if error is None:
            if self._attempts:
                self._attempts.take(letter_id(raw))
            return SUCCESS
        if isinstance(error, Rejected):
            failed = self._attempts.failed(letter_id(raw), topic, cause_of(error))
            return await self._keep(raw, topic, "permanent", failed.cause, failed.count)
        if await self._is_taken_over(raw, topic, error):
            return SUCCESS
        self._attempts.failed(letter_id(raw), topic, cause_of(error))
        return RETRY

    async def _attempt(
        self, raw: bytes, topic: str, release: Callable[[], None] = lambda: None
    ) -> Exception | None:
        """`release` is called once a slow handler keeps the message for itself."""
        if len(raw) > self._settings.max_body_bytes:
            return Rejected(
                f"larger than the {self._settings.max_body_bytes} bytes that max_body_bytes "
                "allows: replay it, or raise that for good"
            )
        try:
            async with self.handled.hold(len(raw)) as held:

                def runs_apart() -> None:
                    held.move(self._slow_handled)
                    release()

                return await self._attempt_now(raw, topic, runs_apart)
        except Busy as error:
            # There was no room for it, so it was not tried: however often, it is not given up.
            return error

    async def _attempt_now(
        self, raw: bytes, topic: str, runs_apart: Callable[[], None]
    ) -> Exception | None:
        try:
            event = read_event(raw)
        except Rejected as error:
            return error
        with about(event):
            try:
                await self.handle(event, topic, runs_apart)
            except Rejected as error:
                return error
            except TRANSIENT as error:
                log.warning("%s %s: will be tried again: %s", topic, event.id, cause_of(error))
                return error
            except Exception as error:
                log.exception("%s %s: the handler failed, and is tried again", topic, event.id)
                return error
        return None

    async def _is_taken_over(
        self,
        raw: bytes,
        topic: str,
        error: Exception,
        running: "asyncio.Task[Exception | None] | None" = None,
    ) -> bool:
        try:
            return await self.retries.take_over(raw, topic, error, running)
        except TRANSIENT as away:
            log.warning("%s: a message that failed could not be kept: %s", topic, away)
            if not self.is_waiting_for_the_store:
                self._probing = asyncio.create_task(self._until_the_store_answers())
            return False
        except Exception:
            # The store answers, so this must not hold back what is well.
            log.exception("%s: a message that failed could not be kept", topic)
            return False

    async def _until_the_store_answers(self) -> None:
        """Without this, each attempt would take a time-out, and a retry policy many minutes."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            try:
                await self._kept.page(None)
            except TRANSIENT as error:
                log.info("the store does not answer yet: %s", error)
            except Exception:
                log.exception("the store answers, and the list of dead letters cannot be read")
                return
            else:
                return

    async def _answer_forwarded(self, messages: Sequence[bytes], _: str) -> list[str]:
        """Letters that come from the sidecar, which says nothing of why."""
        return list(await asyncio.gather(*map(self._keep_forwarded, messages)))

    async def _keep_forwarded(self, raw: bytes) -> str:
        """It may never have reached a handler: the sidecar gives up on an app that is away."""
        known = self._attempts.take(letter_id(raw))
        topic = known.topic if known is not None else self.published_on(raw)
        cause = known.cause if known is not None else UNKNOWN_CAUSE
        if topic is not None and await self._is_taken_over(raw, topic, Unavailable(cause)):
            return SUCCESS
        return await self._keep(raw, topic, "exhausted", cause, known.count if known else 0)

    async def _keep(
        self, raw: bytes, topic: str | None, kind: Kind, cause: str, attempts: int
    ) -> str:
        letter = DeadLetter.of(
            raw,
            topic=topic,
            kind=kind,
            cause=cause,
            attempts=attempts,
            arrived_at=self._clock.now(),
        )
        try:
            await self._kept.keep(letter)
        except Exception as error:
            # Not acknowledged, so it comes again: the store may be away.
            log.error("%s: dead letter %s could not be kept yet: %r", topic, letter.id, error)
            if topic is not None:
                self._attempts.restore(letter.id, topic, cause, attempts)
            return RETRY
        self._attempts.take(letter.id)
        dead_lettered(kind)
        log.error("%s: dead-lettered as %s, %s: %s", topic, letter.id, kind, cause)
        return SUCCESS

    def published_on(self, raw: bytes) -> str | None:
        """The topic of a message, by its type; None if that arrives here on none, or on several."""
        try:
            kind = read_attributes(raw).type
        except Rejected:
            return None
        topics = [t for t, each in self._by_topic.items() if kind in each.step.messages]
        return topics[0] if len(topics) == 1 else None


async def _unknown(topic: str) -> None:
    """The sidecar has asked an earlier release of the service for its topics.

    daprd 1.18 takes a 404 for done, and a whole bulk of messages would be gone.
    """
    raise Unavailable(f"no handler of this service reads the topic {topic[:100]!r}")
