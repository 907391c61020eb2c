"""Choreography: participants react to each other's events; the initiator derives the end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from chassis.cloudevents import CloudEvent
from chassis.handlers import Handlers, returns, step
from chassis.inbox import to_its_topic, to_the_caller
from chassis.messages import Message, name_of, topic_of
from chassis.saga.declaration import Saga
from chassis.saga.manager import due, in_seconds
from chassis.saga.progress import Asked, Progress, Retry, failure, is_cancelled, is_completed
from chassis.saga.records import Records
from chassis.saga.runner import (
    Initiator,
    Launch,
    LookAt,
    is_to_launch,
    look_event,
    recorded_start,
    start_event,
)
from chassis.saga.styles import Engine, Style
from chassis.transaction import Transaction


class Choreography:
    style = Style.CHOREOGRAPHY
    engine: Engine | None = None

    def __init__(self, saga: Saga) -> None:
        self.saga = saga

    def join(self, service: Initiator, records: Records) -> None:
        self._service, self._records = service, records
        ends = returns(*self.saga.ends)
        self._events = Handlers()
        self._events.on(*self.saga.starts)(ends(self._start))
        self._events.on(*self.saga.replies)(ends(self._follow))
        service.subscribe(self._events)
        service.publishes(self.saga.started_by)

    async def begin(self, started: Message) -> None:
        """Record the process, and publish what starts it. When the broker delivers the same event
        here, it is in the inbox already.
        """
        event = start_event(self._service, self.saga, started)
        begin = step(self._begin, self.saga.started_by)
        outcomes = await self._service.processor.process(event, begin, _only_ends)
        if is_to_launch(self, started.subject, outcomes):
            await self._publish([event])

    async def look_at(self, progress: Progress) -> None:
        """Publish once more what starts it, as long as no participant has replied."""
        service, start = self._service, recorded_start(self._service, self.saga, progress)
        if start is None or not self._is_late(progress):
            return
        event = look_event(service, self.saga, progress)
        outcomes = await service.processor.process(event, step(self._look, LookAt), to_the_caller)
        if is_to_launch(self, progress.id, outcomes):
            await self._publish([start])

    def _is_late(self, progress: Progress) -> bool:
        if progress.due is None or progress.started_at is None:
            return False
        now = self._service.clock.now()
        # Long before participants forget it, which is after the TTL of their inbox, it is not
        # published any more: a step could be done twice.
        remembered = timedelta(seconds=self._service.settings.inbox_ttl_seconds / 2)
        return progress.due <= now < progress.started_at + remembered

    async def _publish(self, events: Sequence[CloudEvent]) -> None:
        await self._service.broker.publish(topic_of(self.saga.started_by), events)

    async def _begin(self, started: Message, tx: Transaction) -> Message | None:
        progress, is_new = await self._records.start(started, self.style, self.engine, tx)
        # Replies that came first may end it.
        return self._end(progress, tx) or (Launch.by(self, progress.id) if is_new else None)

    async def _look(self, look_at: LookAt, tx: Transaction) -> Launch | None:
        progress = await self._records.load(look_at.id, tx)
        if not self._is_late(progress) or progress.started_at is None:
            return None
        name, first = name_of(self.saga.started_by), self.saga.stages[0]
        since = progress.started_at
        (asked,) = progress.asked or (Asked(name, since=since, due=since),)
        again = replace(asked, attempts=asked.attempts + 1, due=due(asked, tx.now))
        whose = ", ".join(dict.fromkeys(step.at for step in first))
        cause = f"nobody has replied in {in_seconds(tx.now - since)}"
        retry = Retry(name, whose, asked.attempts, since, cause)
        self._records.put(replace(progress, asked=(again,), retrying=(retry,)), tx)
        return Launch.by(self, progress.id)

    async def _start(self, started: Message, tx: Transaction) -> Message | None:
        progress, _ = await self._records.start(started, self.style, self.engine, tx)
        return self._end(progress, tx)

    async def _follow(self, reply: Message, tx: Transaction) -> Message | None:
        known = await self._records.load(reply.subject, tx)
        if known.is_run_by(self.style, self.engine):
            # Somebody has the message that starts it.
            known = replace(known, asked=(), retrying=())
        return self._end(self._records.record(known, reply, tx), tx)

    def _end(self, progress: Progress, tx: Transaction) -> Message | None:
        # What the end says may be known from the start alone.
        if progress.has_ended or progress.started is None or progress.style is not self.style:
            return None
        if is_completed(self.saga, progress):
            return self._records.complete(progress, tx)
        failed = failure(self.saga, progress)
        if failed is not None and is_cancelled(self.saga, progress):
            return self._records.cancel(progress, failed.name, progress.why(failed), tx)
        return None


def _only_ends(outcome: type[Message]) -> str | None:
    return None if outcome is Launch else to_its_topic(outcome)
