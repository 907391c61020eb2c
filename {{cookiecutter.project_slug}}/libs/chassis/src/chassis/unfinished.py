"""What has begun and not ended, listed in the store: what is late, and how old is the oldest?

A store cannot list its keys. So the transaction that begins something adds its id to the open page
of its replica, and a full page is closed: it gets a name of its own, and is only shortened from
then on. A directory names all pages. A sweep now and then takes out of them what has ended, and
looks at the rest.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from chassis.cloudevents import derived_id
from chassis.errors import TRANSIENT, StaleWrite, Unavailable
from chassis.metrics import show_oldest
from chassis.ports import Clock, Store, Stored, Write
from chassis.transaction import Transaction, adapter

T = TypeVar("T")

log = logging.getLogger(__name__)

SWEEP_SECONDS = 15.0
#: A sweep that takes longer stops at a page; the next one goes on there.
MAX_SWEEP_SECONDS = 20.0
#: A look that takes longer, as with a broker that hangs, is made again by the next sweep. As many
#: as a page has ids are made side by side.
MAX_LOOK_SECONDS = 5.0
#: Ids of one page, pages that are swept together, and pages in all.
PAGE, TOGETHER, MAX_PAGES = 50, 20, 10_000
#: Another replica may change the directory; after so many lost races the next sweep does it.
MAX_ATTEMPTS = 3

DIRECTORY = "unfinished"
SWEPT = "unfinished:swept"

#: Ids, each with the time at which it was added.
Page = list[tuple[str, int]]
Names = list[str]


#: Of a page: that of a replica, which is open, or with what tells closed ones apart.
NAME = r"^[0-9a-f]{12}(-[0-9a-f-]{36})?$"


class Gone(LookupError):
    """A page that is not in the directory any more."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What may not have ended, since when it is listed, and its record, unless it is unreadable."""

    id: str
    since: int
    record: Any


#: Called with the id of what has not ended, and its record.
Look = Callable[[str, Any], Awaitable[None]]


class Swept(BaseModel):
    """When any replica has swept last, and what it has found."""

    at: float
    #: Of the last round through all pages.
    oldest: int | None
    #: The page at which the next sweep begins, and the oldest of this round so far.
    following: str | None = None
    oldest_so_far: int | None = None


async def _no_look(_: str, __: Any) -> None:
    pass


class Unfinished:
    """`add` what begins. It ends when `has_ended` says so of its record, which is at `key_of`.

    Each sweep calls `look` for what has not ended. Two replicas may call it at the same time.
    """

    def __init__(
        self,
        key_of: Callable[[str], str],
        kind: type[Any],
        has_ended: Callable[[Any], bool],
        look: Look = _no_look,
        *,
        sweep_seconds: float = SWEEP_SECONDS,
        page: int = PAGE,
        max_pages: int = MAX_PAGES,
        max_sweep_seconds: float = MAX_SWEEP_SECONDS,
        max_look_seconds: float = MAX_LOOK_SECONDS,
    ) -> None:
        self._key_of = key_of
        self._kind = kind
        self._has_ended = has_ended
        self._look = look
        self.sweep_seconds, self.page, self.max_pages = sweep_seconds, page, max_pages
        self.max_sweep_seconds, self.max_look_seconds = max_sweep_seconds, max_look_seconds
        # Each replica has an open page of its own, so they do not race for one.
        self._open = uuid4().hex[:12]
        self._oldest: int | None = None

    @property
    def key(self) -> str:
        """What `add` reads: to fetch it with other keys saves a call."""
        return _page_key(self._open)

    def age(self, now: datetime) -> float:
        """Seconds since the oldest one was added that had not ended when the last sweep looked."""
        return 0.0 if self._oldest is None else max(0.0, now.timestamp() - self._oldest)

    async def add(self, id: str, tx: Transaction) -> None:
        """To be called in the transaction that begins it, so that none is ever missing.

        Raises `Unavailable` if the list is full: what is not listed has no time limits.
        """
        page = await tx.get(self.key, Page)
        if page is None or len(page) >= self.page:
            names = await tx.get(DIRECTORY, Names) or []
            if len(names) >= self.max_pages:
                raise Unavailable(
                    f"{self.max_pages * self.page} processes have not ended: no other one begins"
                )
            name = self._open
            if page is not None:
                # Short, however long the id is: the directory holds all names.
                name = f"{self._open}-{derived_id(page[0][0])}"
                await tx.get(_page_key(name), Page)
                tx.put(_page_key(name), page)
            tx.put(DIRECTORY, [*names, name])
            page = []
        tx.put(self.key, [*page, (id, int(tx.now.timestamp()))])

    async def listed(
        self, store: Store, first: str | None = None
    ) -> tuple[list[Listed], str | None]:
        """One page, or the first one, and the name of the next. Raises `Gone` and `Unavailable`."""
        names = _value((await store.read([DIRECTORY]))[DIRECTORY], Names) or []
        if first is not None and first not in names:
            raise Gone(f"page {first} is not in the list any more")
        position = 0 if first is None else names.index(first)
        following = names[position + 1] if position + 1 < len(names) else None
        if not names:
            return [], None
        key = _page_key(names[position])
        page = _value((await store.read([key]))[key], Page) or []
        stored = await store.read([self._key_of(id) for id, _ in page]) if page else {}
        found = [Listed(id, at, self._record(id, stored[self._key_of(id)])) for id, at in page]
        # No record: an ended one has been deleted.
        return [each for each in found if stored[self._key_of(each.id)].etag], following

    def _record(self, id: str, stored: Stored) -> Any:
        """None: there is none, or a later release may have written it."""
        try:
            return _value(stored, self._kind)
        except ValidationError:
            log.exception("the record of %s cannot be read", id)
            return None

    async def watch(self, store: Store, clock: Clock) -> None:
        """Sweep, and show the age of the oldest one, for as long as the service runs.

        One sweep at a time: the next one begins after this one has ended.
        """
        while True:
            began = time.monotonic()
            try:
                await self.sweep(store, clock.now())
                # Not before it is known: after a restart, 0 would say that all is well.
                show_oldest(lambda: self.age(clock.now()))
            except Unavailable as error:
                log.warning("what has not ended could not be looked at: %r", error)
            except Exception:
                log.exception("what has not ended could not be looked at")
            # A store that is slow has other things to do, too.
            await asyncio.sleep(max(self.sweep_seconds, time.monotonic() - began))

    async def sweep(self, store: Store, now: datetime) -> None:
        """Unless another replica has just done it. Raises `Unavailable`."""
        stored, at = await store.read([DIRECTORY, SWEPT]), now.timestamp()
        swept = _value(stored[SWEPT], Swept)
        if swept is None or not 0 <= at - swept.at < self.sweep_seconds / 2:
            names = _value(stored[DIRECTORY], Names) or []
            swept = await self._sweep(store, names, at, swept)
            with suppress(StaleWrite):
                await store.commit([_write(SWEPT, swept, stored[SWEPT])])
        self._oldest = swept.oldest

    async def _sweep(self, store: Store, names: Names, at: float, last: Swept | None) -> Swept:
        """From where the last one has stopped, to the end of the list or of the time."""
        first, oldest = 0, None
        if last is not None and last.following in names:
            first, oldest = names.index(last.following), last.oldest_so_far
        deadline = time.monotonic() + self.max_sweep_seconds
        # Never all at once: an outage leaves many thousands of them.
        for start in range(first, len(names), TOGETHER):
            together = names[start : start + TOGETHER]
            stored = await store.read([_page_key(name) for name in together])
            closed: dict[str, tuple[Page, Page]] = {}
            for number, name in enumerate(together, start):
                if number > first and time.monotonic() >= deadline:
                    await _replace(store, self._merged(closed), stored)
                    log.warning("%d of %d pages were swept in time", number - first, len(names))
                    known = oldest if last is None else _min(last.oldest, oldest)
                    return Swept(at=at, oldest=known, following=name, oldest_so_far=oldest)
                key = _page_key(name)
                page = _value(stored[key], Page) or []
                left = await self._left(store, page)
                oldest = _min(oldest, *(at for _, at in left))
                if "-" in name:
                    closed[name] = page, left
                elif not left:
                    # By itself: its replica may be adding to it.
                    await _replace(store, {name: left}, stored)
            await _replace(store, self._merged(closed), stored)
        return Swept(at=at, oldest=oldest)

    def _merged(self, closed: dict[str, tuple[Page, Page]]) -> dict[str, Page]:
        """What is to be written of these pages: what is left of those that are half empty.

        Two that fit into one become one. So a full page has room for half of its ids at least, but
        for one in `TOGETHER`, and an old process does not keep a page for itself.
        """
        written: dict[str, Page] = {}
        last, of_last = "", Page()
        for name, (page, left) in closed.items():
            if len(left) > self.page / 2:
                continue
            if not left:
                written[name] = []
            elif last and len(of_last) + len(left) <= self.page:
                of_last = [*of_last, *left]
                written |= {last: of_last, name: []}
            else:
                last, of_last = name, left
                if len(left) <= len(page) / 2:
                    written[name] = left
        return written

    async def _left(self, store: Store, page: Page) -> Page:
        """Less what has ended; each of the others is looked at."""
        stored = await store.read([self._key_of(id) for id, _ in page])
        kept: dict[tuple[str, int], Any] = {}
        unreadable: Page = []
        for id, at in page:
            record = self._record(id, stored[self._key_of(id)])
            if record is None and stored[self._key_of(id)].etag:
                # It must not keep the others waiting.
                unreadable.append((id, at))
            elif record is not None and not self._has_ended(record):
                kept[id, at] = record
        await asyncio.gather(*(self._look_at(id, record) for (id, _), record in kept.items()))
        return [*unreadable, *kept]

    async def _look_at(self, id: str, record: Any) -> None:
        """One that fails, or hangs, must not keep the others from being looked at."""
        try:
            async with asyncio.timeout(self.max_look_seconds):
                await self._look(id, record)
        except TRANSIENT as error:
            log.warning("%s is looked at again in the next sweep: %r", id, error)
        except Exception:
            log.exception("%s could not be looked at", id)


async def _replace(store: Store, pages: dict[str, Page], stored: Mapping[str, Stored]) -> None:
    """Write pages, and delete the empty ones, which leave the directory, in one transaction."""
    for _ in range(MAX_ATTEMPTS if pages else 0):
        directory = (await store.read([DIRECTORY]))[DIRECTORY]
        names = _value(directory, Names) or []
        writes = [
            _write(key, page or None, stored[key])
            for key, page in ((_page_key(name), page) for name, page in pages.items())
            # A page that is not there has nothing to delete.
            if page or stored[key].etag
        ]
        left = [name for name in names if name not in pages or pages[name]]
        if left != names:
            writes.append(_write(DIRECTORY, left, directory))
        with suppress(StaleWrite):
            await store.commit(writes)
            return


def _min(*times: int | None) -> int | None:
    return min((time for time in times if time is not None), default=None)


def _page_key(name: str) -> str:
    return f"unfinished:{name}"


def _value(stored: Stored, kind: type[T]) -> T | None:
    return None if stored.value is None else adapter(kind).validate_json(stored.value)


def _write(key: str, value: object | None, stored: Stored) -> Write:
    content = None if value is None else adapter(type(value)).dump_json(value)
    return Write(key, content, stored.etag)
