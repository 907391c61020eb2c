"""Reads that remember their ETags, and writes that wait for the commit."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from chassis.cloudevents import CloudEvent
from chassis.ports import Store, Stored, Write

T = TypeVar("T")


class Snapshot:
    """The keys that a group of transactions has read, each fetched once.

    Handlers of a group run side by side; what they ask for in one turn of the event loop is
    fetched in one call.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stored: dict[str, Stored] = {}
        self._wanted: dict[str, None] = {}
        self._fetch: asyncio.Task[None] | None = None

    async def read(self, keys: Sequence[str]) -> list[Stored]:
        missing = [key for key in keys if key not in self._stored]
        while missing:
            self._wanted.update(dict.fromkeys(missing))
            if self._fetch is None:
                self._fetch = asyncio.create_task(self._fetch_wanted())
            # Shielded: a handler that runs out of time must not end the fetch of the others.
            await asyncio.shield(self._fetch)
            missing = [key for key in keys if key not in self._stored]
        return [self._stored[key] for key in keys]

    def overlay(self, writes: Sequence[Write]) -> None:
        """Let the transactions after this one see its writes, under the ETag that was read."""
        for write in writes:
            self._stored[write.key] = Stored(write.value, write.etag)

    async def _fetch_wanted(self) -> None:
        await asyncio.sleep(0)
        wanted, self._wanted, self._fetch = list(self._wanted), {}, None
        self._stored.update(await self._store.read(wanted))


class Transaction:
    """What a handler may do to its service's state: read keys, and put or delete them.

    Only keys that are written are guarded by their ETags: a decision that rests on a key must
    write that key. Nothing is stored before the handler has returned.
    """

    def __init__(self, snapshot: Snapshot, cause: CloudEvent) -> None:
        #: The message that is being handled; its `time` is when its sender decided it.
        self.cause = cause
        #: When the handling began.
        self.now = datetime.now(UTC)
        self.reads: set[str] = set()
        self._snapshot = snapshot
        self._etags: dict[str, str | None] = {}
        self._writes: dict[str, Write] = {}

    async def get(self, key: str, kind: type[T]) -> T | None:
        """The value under the key, or None when there is none."""
        return (await self.get_all([key], kind))[key]

    async def get_all(self, keys: Sequence[str], kind: type[T]) -> dict[str, T | None]:
        """The values under the keys, fetched together."""
        self.reads.update(keys)
        found: dict[str, T | None] = {}
        for key, stored in zip(keys, await self._snapshot.read(keys), strict=True):
            self._etags[key] = stored.etag
            value = self._writes[key].value if key in self._writes else stored.value
            found[key] = None if value is None else adapter(kind).validate_json(value)
        return found

    def put(self, key: str, value: object, *, ttl_seconds: int | None = None) -> None:
        """Write the value at commit. The key must have been read in this transaction."""
        self._writes[key] = Write(
            key, adapter(type(value)).dump_json(value), self._etag(key), ttl_seconds
        )

    def delete(self, key: str) -> None:
        """Remove the key at commit. The key must have been read in this transaction."""
        self._writes[key] = Write(key, None, self._etag(key))

    @property
    def writes(self) -> list[Write]:
        return list(self._writes.values())

    def _etag(self, key: str) -> str | None:
        if key not in self.reads:
            raise LookupError(f"{key!r} was written without being read: its ETag is not known")
        return self._etags[key]


def adapter(kind: Any) -> TypeAdapter[Any]:
    """How values of this kind become JSON, and come back."""
    return _made_once(kind)


_made_once = cache(TypeAdapter[Any])
