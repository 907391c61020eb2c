"""Hybrid: a process manager publishes commands, and goes on when the replies come.

A reply is a message like any other: the record of the process, the inbox record and the next
commands are one transaction, and the commands are published after it. The sweep of what has not
ended (`chassis.unfinished`) looks at each process for what is late, so a time limit survives every
crash.
"""

from collections.abc import Sequence

from chassis.cloudevents import CloudEvent, derived_id
from chassis.handlers import Handlers, Outcome, Request, returns, step
from chassis.inbox import to_its_topic
from chassis.messages import Message, topic_of
from chassis.refusal import CommandRefused
from chassis.saga.declaration import Saga
from chassis.saga.manager import Given, Manager
from chassis.saga.progress import Asked, Progress, State
from chassis.saga.records import Records
from chassis.saga.runner import Initiator, LookAt, look_event, start_event
from chassis.saga.styles import Engine, Style
from chassis.transaction import Transaction


class Hybrid:
    style = Style.HYBRID
    engine: Engine | None = Engine.MANAGER

    def __init__(self, saga: Saga) -> None:
        self.saga = saga

    def join(self, service: Initiator, records: Records) -> None:
        self._service, self._records = service, records
        outcomes = returns(*self.saga.commands, *self.saga.ends)
        # One topic, so one handler: replies of a process are handled one after the other.
        replies = Handlers()
        replies.on(*self.saga.replies, CommandRefused, topic=self.saga.replies_topic)(
            outcomes(self._reply)
        )
        service.await_replies(replies, to_its_topic)

    @property
    def _manager(self) -> Manager:
        return Manager(self.saga, self._service.settings.step_timeout)

    async def begin(self, started: Message) -> None:
        """Record the process and its first commands, which are published. Then it is accepted."""
        # One commit: the record, and its place in the list that is swept for what is late.
        event = start_event(self._service, self.saga, started)
        await self._service.processor.process(event, step(self._start, self.saga.started_by))

    async def _start(self, started: Message, tx: Transaction) -> Outcome:
        progress, is_new = await self._records.start(started, self.style, self.engine, tx)
        return self._go_on(*self._manager.advance(progress, tx.now), tx) if is_new else None

    async def _reply(self, reply: Message, tx: Transaction) -> Outcome:
        if isinstance(reply, CommandRefused):
            found = await self._records.find(reply.subject, tx)
            refused = None if found is None else self._refused_by(found, tx.cause)
            if found is None or refused is None:
                return None
            progress = self._manager.refuse(found, refused, reply.reason)
        else:
            known = await self._records.load(reply.subject, tx)
            progress = self._records.record(known, reply, tx)
            # A workflow gives its commands under other ids: each would be carried out twice.
            if known.style is not None and not known.is_run_by(self.style, self.engine):
                return None
        return self._go_on(*self._manager.advance(progress, tx.now), tx)

    async def _look(self, look_at: LookAt, tx: Transaction) -> Outcome:
        progress = await self._records.load(look_at.id, tx)
        return self._go_on(*self._manager.look(progress, tx.now), tx)

    async def look_at(self, progress: Progress) -> None:
        """Give again, or give up, what is late. Raises `Unavailable`."""
        now = self._service.clock.now()
        # Of many looks few find something late: the others must not leave records in the inbox.
        if self._manager.look(progress, now) == (progress, []):
            return
        event = look_event(self._service, self.saga, progress)
        await self._service.processor.process(event, step(self._look, LookAt))

    def _go_on(self, progress: Progress, given: Sequence[Given], tx: Transaction) -> Outcome:
        end = self._manager.end(progress)
        if end is State.COMPLETED:
            return self._records.complete(progress, tx)
        if end is State.CANCELLED:
            return self._records.cancel(
                progress, progress.failed_step or "", progress.reason or "", tx
            )
        self._records.put(progress, tx)
        return [self._request(progress, each) for each in given]

    def _request(self, progress: Progress, given: Given) -> Request:
        command = self.saga.make(given.command, progress.started or {}, progress.said)
        id = self._id(progress.id, given.command, given.refusals)
        return Request(command, id, self.saga.replies_topic)

    def _id(self, id: str, command: type[Message], refusals: int) -> str:
        """Idempotency: the same however often a command is given, until it is refused."""
        again = [str(refusals)] if refusals else []
        return derived_id(self.saga.name, id, topic_of(command), *again)

    def _refused_by(self, progress: Progress, reply: CloudEvent) -> Asked | None:
        """The command that the reply refuses."""
        for command, asked in self._manager.waiting(progress):
            if self._id(progress.id, command, asked.refusals) == reply.causationid:
                return asked
        return None
