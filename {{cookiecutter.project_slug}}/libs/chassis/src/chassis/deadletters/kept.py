"""The letters that a service keeps, through the commit point that everything goes through."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import ClassVar, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel

from chassis.cloudevents import CloudEvent, envelope
from chassis.deadletters import pages
from chassis.deadletters.letter import DeadLetter, Summary, cause_of
from chassis.errors import TRANSIENT, Rejected
from chassis.handlers import Step, step
from chassis.inbox import Inbox, InboxRecord, inbox_key, to_the_caller
from chassis.logs import about
from chassis.messages import Message
from chassis.ports import Clock, Store
from chassis.processor import Processor
from chassis.transaction import Transaction, adapter

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Brings an event of this topic to its effect, as a delivery of it would.
Handle = Callable[[CloudEvent, str], Awaitable[None]]


class KeepLetter(BaseModel):
    version: ClassVar[int] = 1

    letter: DeadLetter

    @property
    def subject(self) -> str:
        return str(self.letter.id)


class Discard(BaseModel):
    """The record of a discarded letter: everything but its payload, who discarded it, and why."""

    version: ClassVar[int] = 1

    letter: Summary
    reason: str
    by: str
    at: datetime

    @property
    def subject(self) -> str:
        return str(self.letter.id)


class RemoveLetter(BaseModel):
    version: ClassVar[int] = 1

    id: UUID

    @property
    def subject(self) -> str:
        return str(self.id)


class Listed(BaseModel):
    """One page of the list, oldest letters first."""

    count: int
    letters: tuple[Summary, ...]
    next_page: int | None


class KeptLetters:
    def __init__(self, inbox: Inbox, store: Store, processor: Processor, clock: Clock) -> None:
        self._inbox = inbox
        self._store = store
        self._processor = processor
        self._clock = clock

    async def keep(self, letter: DeadLetter) -> None:
        """Returns once it is stored. Raises `Unavailable` or `TimeoutError` if it is not."""
        await self._process(KeepLetter(letter=letter), step(self._keep, KeepLetter))

    async def amend(self, letter: DeadLetter) -> None:
        """Store what is new about a letter, unless it was removed. Raises as `keep` does."""
        await self._process(KeepLetter(letter=letter), step(self._amend, KeepLetter))

    async def settle(self, letter: UUID) -> None:
        """Remove a letter whose message was handled. Raises as `keep` does."""
        await self._process(RemoveLetter(id=letter), step(self._remove, RemoveLetter))

    async def page(self, number: int | None) -> Listed:
        """A page by its number, or the first one. Raises `Unavailable`."""
        directory = await self._look_up(pages.DIRECTORY, pages.Directory) or pages.Directory()
        following = [each for each in directory.pages if number is None or each >= number]
        if not following:
            return Listed(count=directory.count, letters=(), next_page=None)
        page = await self._look_up(pages.page_key(following[0]), pages.Page) or pages.Page()
        return Listed(
            count=directory.count,
            letters=page.letters,
            next_page=following[1] if len(following) > 1 else None,
        )

    async def retrying(self) -> AsyncIterator[Summary]:
        """The letters that are tried again, here or elsewhere. Raises `Unavailable`."""
        directory = await self._look_up(pages.DIRECTORY, pages.Directory) or pages.Directory()
        for number in directory.may_be_retrying:
            page = await self._look_up(pages.page_key(number), pages.Page) or pages.Page()
            for letter in page.letters:
                if letter.kind == "retrying":
                    yield letter

    async def find(self, letter: UUID) -> DeadLetter | None:
        return await self._look_up(pages.letter_key(letter), DeadLetter)

    async def discarded(self, letter: UUID) -> Discard | None:
        return await self._look_up(_discard_key(letter), Discard)

    async def replay(self, letter: DeadLetter, handle: Handle) -> None:
        """Handle the message again, and only then remove the letter.

        If we crash in between, the letter is still there, and replaying it once more finds the
        message in the inbox. Raises `Rejected` with the new cause if it failed again,
        `Unavailable` or `TimeoutError` if it may succeed later.
        """
        event = letter.event
        if letter.topic is None:
            raise Rejected("its topic is not known, so no handler is")
        try:
            with about(event):
                await handle(event, letter.topic)
        except TRANSIENT:
            raise
        except Exception as error:
            if not isinstance(error, Rejected):
                log.exception("dead letter %s: the handler failed", letter.id)
            cause = cause_of(error)
            kind = "permanent" if isinstance(error, Rejected) else "unknown"
            again = {"kind": kind, "cause": cause, "attempts": 1}
            await self.amend(letter.model_copy(update=again))
            raise Rejected(f"it failed again: {cause}") from error
        await self.settle(letter.id)
        log.info("dead letter %s: replayed", letter.id)

    async def discard(self, letter: DeadLetter, reason: str, by: str) -> Discard:
        """Remove the letter, and keep a record of it."""
        now = self._clock.now()
        record = Discard(letter=letter.summary, reason=reason, by=by, at=now)
        await self._process(record, step(self._discard, Discard))
        log.warning("dead letter %s: discarded by %s: %s", letter.id, by, reason)
        return record

    async def _process(self, message: Message, how: Step) -> None:
        # A new id each time: these steps are idempotent by letter, and the inbox must not keep a
        # letter from coming back after it was removed.
        event = envelope(
            message,
            id=str(uuid4()),
            source=self._inbox.source,
            traceparent=None,
            time=self._clock.now(),
        )
        await self._processor.process(event, how, to_the_caller)

    async def _look_up(self, key: str, kind: type[T]) -> T | None:
        stored = (await self._store.read([key]))[key]
        return None if stored.value is None else adapter(kind).validate_json(stored.value)

    async def _keep(self, asked: KeepLetter, tx: Transaction) -> None:
        await pages.keep(asked.letter, tx)
        await self._keep_record(asked.letter, None, tx)

    async def _amend(self, asked: KeepLetter, tx: Transaction) -> None:
        amended = await pages.amend(asked.letter, tx)
        if amended is not None:
            await self._keep_record(amended, None, tx)

    async def _remove(self, asked: RemoveLetter, tx: Transaction) -> None:
        letter = await pages.remove(asked.id, tx)
        if letter is not None:
            await self._keep_record(letter, self._inbox.ttl_seconds, tx)

    async def _discard(self, record: Discard, tx: Transaction) -> None:
        key = _discard_key(record.letter.id)
        await tx.get(key, Discard)
        letter = await pages.remove(record.letter.id, tx)
        if letter is not None:
            tx.put(key, record)
            await self._keep_record(letter, self._inbox.ttl_seconds, tx)

    async def _keep_record(
        self, letter: DeadLetter, ttl_seconds: int | None, tx: Transaction
    ) -> None:
        """What the inbox knows of the message lasts as long as its letter: it may be replayed."""
        try:
            key = inbox_key(letter.attributes)
        except Rejected:
            return
        record = await tx.get(key, InboxRecord)
        if record is not None:
            tx.put(key, record, ttl_seconds=ttl_seconds)


def _discard_key(letter: UUID) -> str:
    return f"dead-letters:discarded:{letter}"
