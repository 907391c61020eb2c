"""A store and a broker in memory, which fail when a test asks them to."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TypeVar

from chassis.cloudevents import CloudEvent
from chassis.errors import StaleWrite
from chassis.ports import Stored, Write, check
from chassis.transaction import adapter

T = TypeVar("T")


class MemoryStore:
    """A store. Each of its `failures` is raised by one commit, which then writes nothing."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.reads: list[Sequence[str]] = []
        self.commits: list[Sequence[Write]] = []
        self._stored: dict[str, Stored] = {}
        self._etags = map(str, count(1))

    def put(self, key: str, value: object) -> None:
        """Store a value as another replica would: at once, under a new ETag."""
        self._stored[key] = Stored(adapter(type(value)).dump_json(value), next(self._etags))

    def get(self, key: str, kind: type[T]) -> T | None:
        stored = self._stored.get(key)
        return None if stored is None else adapter(kind).validate_json(stored.value or b"")

    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        self.reads.append(keys)
        return {key: self._stored.get(key, Stored()) for key in keys}

    async def commit(self, writes: Sequence[Write]) -> None:
        check(writes)
        if self.failures:
            raise self.failures.pop(0)
        for write in writes:
            if self._stored.get(write.key, Stored()).etag != write.etag:
                raise StaleWrite(write.key)
        for write in writes:
            self._stored[write.key] = Stored(write.value, next(self._etags))
            if write.value is None:
                del self._stored[write.key]
        self.commits.append(writes)


class MemoryBroker:
    """A broker. Each of its `failures` is raised by one publish, which then sends nothing."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.published: defaultdict[str, list[CloudEvent]] = defaultdict(list)

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.published[topic].extend(events)
