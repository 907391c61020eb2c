"""The records of a saga's processes in the store of their initiator: load, change, put."""

from collections.abc import Sequence

from chassis.messages import Message
from chassis.saga.declaration import Saga
from chassis.saga.progress import Progress, Retry, State
from chassis.saga.styles import Style
from chassis.transaction import Transaction
from chassis.unfinished import Unfinished


def all_unfinished() -> Unfinished:
    """The processes of all sagas of a service, each listed by the key of its record."""
    return Unfinished(lambda key: key, Progress, lambda progress: progress.has_ended)


class Records:
    def __init__(self, saga: Saga, unfinished: Unfinished) -> None:
        self.saga = saga
        self._unfinished = unfinished

    def key(self, id: str) -> str:
        return f"process:{self.saga.name}:{id}"

    async def load(self, id: str, tx: Transaction) -> Progress:
        """A reply may come before what started the process is known here."""
        progress = await tx.get(self.key(id), Progress)
        if progress is None:
            await self._unfinished.add(self.key(id), tx)
            progress = Progress(id)
        return progress

    def put(self, progress: Progress, tx: Transaction) -> Progress:
        tx.put(self.key(progress.id), progress)
        return progress

    async def start(self, started: Message, style: Style, tx: Transaction) -> Progress:
        await tx.fetch(self.key(started.subject), self._unfinished.key)
        progress = await self.load(started.subject, tx)
        return self.put(progress.start(style, started, tx.cause.time, tx.cause.traceparent), tx)

    async def record(self, reply: Message, tx: Transaction) -> Progress:
        progress = await self.load(reply.subject, tx)
        return self.put(progress.record(self.saga, reply, tx.cause.time), tx)

    async def retry(self, id: str, retrying: Sequence[Retry], tx: Transaction) -> Progress:
        progress = await self.load(id, tx)
        return self.put(progress.retry(self.saga, retrying), tx)

    def complete(self, progress: Progress, tx: Transaction) -> Message:
        """A process ends when its initiator decides so. The first end stands."""
        self.put(progress.end(State.COMPLETED, tx.now), tx)
        return self.saga.make(self.saga.completed, progress.started or {}, progress.said)

    def cancel(self, progress: Progress, failed_step: str, reason: str, tx: Transaction) -> Message:
        self.put(progress.end(State.CANCELLED, tx.now, failed_step, reason), tx)
        return self.saga.make(
            self.saga.cancelled, progress.started or {}, {}, failed_step=failed_step, reason=reason
        )
