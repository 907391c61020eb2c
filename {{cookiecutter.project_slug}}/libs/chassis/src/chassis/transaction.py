"""Reads that remember their ETags, and writes that wait for the commit."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from chassis.cloudevents import CloudEvent
from chassis.errors import Refused, Rejected
from chassis.ports import Store, Stored, Write, check_keys

T = TypeVar("T")


class Snapshot:
    """The store as a group of transactions sees it: what they have read, and what they write.

    Handlers of a group run side by side; what they ask for in one turn of the event loop is
    fetched in one call, and what one has written is what those after it read.
    """

    def __init__(self, store: Store) -> None:
        #: What the group writes at its commit.
        self.writes: dict[str, Write] = {}
        self._store = store
        self._stored: dict[str, Stored] = {}
        #: Keys that the store does not read, and why.
        self._refused: dict[str, Refused] = {}
        self._wanted: dict[str, None] = {}
        self._fetch: asyncio.Task[None] | None = None

    async def read(self, keys: Sequence[str]) -> list[Stored]:
        # Before they are fetched with those of others, whom they must not take along.
        check_keys(keys)
        missing = [key for key in keys if key not in self._stored]
        while missing:
            self._wanted.update(dict.fromkeys(missing))
            if self._fetch is None:
                self._fetch = asyncio.create_task(self._fetch_wanted())
            # Shielded: a handler that runs out of time must not end the fetch of the others.
            await asyncio.shield(self._fetch)
            for key in missing:
                if key in self._refused:
                    raise self._refused[key]
            missing = [key for key in keys if key not in self._stored]
        return [self._stored[key] for key in keys]

    def still_has(self, seen: Mapping[str, Stored]) -> bool:
        """Whether nobody in the group has written since what was seen here."""
        return all(self._stored[key] is stored for key, stored in seen.items())

    def apply(self, writes: Mapping[str, Write]) -> None:
        """Let the transactions after this one see its writes, under the ETags that it has seen."""
        for key, write in writes.items():
            if write.value is None and write.etag is None:
                # The store has nothing to delete; what the group itself has put there is undone.
                self.writes.pop(key, None)
            else:
                self.writes[key] = write
        self._stored |= {key: Stored(write.value, write.etag) for key, write in writes.items()}

    async def _fetch_wanted(self) -> None:
        await asyncio.sleep(0)
        wanted, self._wanted, self._fetch = list(self._wanted), {}, None
        try:
            found = await self._store.read(wanted)
        except Refused as error:
            if len(wanted) == 1:
                self._refused[wanted[0]] = error
                return
            # One key may be what the store refuses; who asked for the others must not fail.
            found = await self._read_one_by_one(wanted)
        # What is here stays: it may have been written since it was asked for.
        self._stored = {**found, **self._stored}

    async def _read_one_by_one(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        found: dict[str, Stored] = {}

        async def read(key: str) -> None:
            try:
                found.update(await self._store.read([key]))
            except Refused as error:
                self._refused[key] = error

        await asyncio.gather(*map(read, keys))
        return found


class Transaction:
    """What a handler may do to its service's state: read keys, and put or delete them.

    Only keys that are written are guarded by their ETags: a decision that rests on a key must
    write that key. To delete an absent key writes nothing, and so guards nothing. Nothing is stored
    before the handler has returned.
    """

    def __init__(self, snapshot: Snapshot, cause: CloudEvent, now: datetime) -> None:
        #: The message that is being handled; its `time` is when its sender decided it.
        self.cause = cause
        #: When the handling began.
        self.now = now
        #: Whether it has read what another one of the group wrote, which is not committed yet.
        self.read_uncommitted = False
        self._snapshot = snapshot
        self._seen: dict[str, Stored] = {}
        self._writes: dict[str, Write] = {}

    async def get(self, key: str, kind: type[T]) -> T | None:
        """The value under the key, or None when there is none."""
        return (await self.get_all([key], kind))[key]

    async def get_all(self, keys: Sequence[str], kind: type[T]) -> dict[str, T | None]:
        """The values under the keys, fetched together."""
        found: dict[str, T | None] = {}
        for key, stored in zip(keys, await self._snapshot.read(keys), strict=True):
            self._seen.setdefault(key, stored)
            self.read_uncommitted |= key in self._snapshot.writes
            value = self._writes[key].value if key in self._writes else stored.value
            found[key] = None if value is None else adapter(kind).validate_json(value)
        return found

    async def fetch(self, *keys: str) -> None:
        """Ask in one call for keys that `get` will read one after the other, as it still must."""
        await self._snapshot.read(keys)

    def put(self, key: str, value: object, *, ttl_seconds: int | None = None) -> None:
        """Write the value at commit. The key must have been read in this transaction.

        Raises `Rejected` for what JSON cannot hold, as half of a surrogate pair.
        """
        try:
            stored = adapter(type(value)).dump_json(value)
        except PydanticSerializationError as error:
            raise Rejected(f"{key!r} cannot be stored: {error}") from error
        self._writes[key] = Write(key, stored, self._etag(key), ttl_seconds)

    def delete(self, key: str) -> None:
        """Remove the key at commit. The key must have been read in this transaction."""
        self._writes[key] = Write(key, None, self._etag(key))

    def discard(self) -> None:
        """Forget all writes of this transaction."""
        self._writes.clear()

    @property
    def overtaken(self) -> bool:
        """Whether a key that this one has read was written by another one of the group since."""
        return not self._snapshot.still_has(self._seen)

    def apply(self) -> None:
        """Show the writes to the others of the group, and have them committed with theirs."""
        self._snapshot.apply(self._writes)

    def _etag(self, key: str) -> str | None:
        if key not in self._seen:
            raise LookupError(f"{key!r} was written without being read: its ETag is not known")
        return self._seen[key].etag


def adapter(kind: Any) -> TypeAdapter[Any]:
    """How values of this kind become JSON, and come back."""
    return _made_once(kind)


_made_once = cache(TypeAdapter[Any])
