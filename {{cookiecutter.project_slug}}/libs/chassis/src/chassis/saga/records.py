"""The records of a saga's processes in the store of their initiator: load, change, put."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chassis.messages import Message, type_of
from chassis.saga.declaration import Saga
from chassis.saga.progress import Progress, State
from chassis.saga.styles import Engine, Style
from chassis.transaction import Transaction
from chassis.unfinished import Look, Unfinished


def all_unfinished(look: Look) -> Unfinished:
    """The processes of all sagas of a service, each listed by the key of its record."""
    return Unfinished(lambda key: key, Progress, lambda progress: progress.has_ended, look)


def record_key(saga: Saga, id: str) -> str:
    return f"process:{saga.name}:{id}"


def saga_and_id(key: str) -> tuple[str, str]:
    """Of the process that has its record there: the name of its saga, and its id."""
    _, saga, id = key.split(":", 2)
    return saga, id


class Records:
    """`orphan_seconds`: how long replies are kept for a process that is not known to have begun.

    Another saga may share their event, and then it never begins here.
    """

    def __init__(self, saga: Saga, unfinished: Unfinished, orphan_seconds: int) -> None:
        self.saga = saga
        self._unfinished = unfinished
        self._orphan_seconds = orphan_seconds

    def key(self, id: str) -> str:
        return record_key(self.saga, id)

    async def find(self, id: str, tx: Transaction) -> Progress | None:
        return await tx.get(self.key(id), Progress)

    async def load(self, id: str, tx: Transaction) -> Progress:
        """A reply may come before what started the process is known here."""
        return await self.find(id, tx) or Progress(id)

    def put(self, progress: Progress, tx: Transaction) -> Progress:
        # It is known to have begun once its style is.
        seconds = self._orphan_seconds if progress.style is None else None
        tx.put(self.key(progress.id), progress, ttl_seconds=seconds)
        return progress

    async def begun(
        self, id: str, style: Style, engine: Engine | None, tx: Transaction
    ) -> Progress:
        """A process that has begun: in the first style and on the first engine that says so.

        Its start may not be known here yet.
        """
        await tx.fetch(self.key(id), self._unfinished.key)
        progress = await self.load(id, tx)
        if progress.style is not None:
            return progress
        # Order matters: it is listed with its record, so none is ever missing.
        await self._unfinished.add(self.key(id), tx)
        return replace(progress, style=style, engine=engine)

    async def start(
        self, started: Message, style: Style, engine: Engine | None, tx: Transaction
    ) -> tuple[Progress, bool]:
        """The process, and whether it begins with this transaction."""
        progress = await self.begun(started.subject, style, engine, tx)
        known = await self.load(started.subject, tx)
        content = started.model_dump(mode="json")
        return self.started(progress, content, type_of(type(started)), tx), known.style is None

    def started(
        self,
        progress: Progress,
        content: Mapping[str, Any],
        started_type: str | None,
        tx: Transaction,
    ) -> Progress:
        """`content`: the data of the message that starts it."""
        cause = tx.cause
        return self.put(progress.start(content, started_type, cause.time, cause.traceparent), tx)

    def record(self, progress: Progress, reply: Message, tx: Transaction) -> Progress:
        return self.put(progress.record(self.saga, reply, tx.cause.time), tx)

    def complete(self, progress: Progress, tx: Transaction) -> Message:
        """A process ends when its initiator decides so. The first end stands."""
        self.end(progress, tx)
        return self.saga.make(self.saga.completed, progress.started or {}, progress.said)

    def cancel(self, progress: Progress, failed_step: str, reason: str, tx: Transaction) -> Message:
        self.end(progress, tx, failed_step, reason)
        return self.saga.make(
            self.saga.cancelled, progress.started or {}, {}, failed_step=failed_step, reason=reason
        )

    def end(
        self,
        progress: Progress,
        tx: Transaction,
        failed_step: str | None = None,
        reason: str | None = None,
    ) -> None:
        state = State.COMPLETED if failed_step is None else State.CANCELLED
        self.put(progress.end(state, tx.now, failed_step, reason), tx)
