"""Choreography: participants react to each other's events; the initiator derives the end."""

from chassis.handlers import Handlers, returns
from chassis.messages import Message, topic_of
from chassis.saga.declaration import Saga
from chassis.saga.progress import Progress, failure, is_cancelled, is_completed
from chassis.saga.records import Records, start_of
from chassis.saga.runner import Initiator, start_event
from chassis.saga.styles import Style
from chassis.transaction import Transaction


class Choreography:
    style = Style.CHOREOGRAPHY

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
        """Publish what starts the process. Once the broker has it, the process is accepted."""
        service, step = self._service, self._events[topic_of(self.saga.started_by)]
        known = await service.look_up(self._records.key(started.subject), Progress)
        if known is not None and known.style is not None:
            # It was published before it was recorded. Participants forget it one day, so it must
            # not be published once more.
            return
        event = start_event(service, self.saga, started)
        await service.broker.publish(step.topic, [event])
        # At once, so that the caller can look the process up. When the broker delivers the same
        # event, it is in the inbox already.
        await service.processor.process(event, step)

    def goes_on(self, progress: Progress) -> bool:
        return True

    async def look_at(self, progress: Progress) -> None:
        """It has no time limits: nobody is waited for."""

    async def _start(self, started: Message, tx: Transaction) -> Message | None:
        return self._end(await self._records.start(*start_of(started), self.style, tx), tx)

    async def _follow(self, reply: Message, tx: Transaction) -> Message | None:
        known = await self._records.load(reply.subject, tx)
        return self._end(self._records.record(known, reply, tx), tx)

    def _end(self, progress: Progress, tx: Transaction) -> Message | None:
        # What the end says may be known from the start alone.
        if progress.has_ended or progress.started is None:
            return None
        if is_completed(self.saga, progress):
            return self._records.complete(progress, tx)
        failed = failure(self.saga, progress)
        if failed is not None and is_cancelled(self.saga, progress):
            return self._records.cancel(progress, failed.name, progress.why(failed), tx)
        return None
