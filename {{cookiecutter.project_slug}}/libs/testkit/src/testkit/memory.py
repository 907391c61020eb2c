"""A store and a broker in memory, which fail when a test asks them to."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from chassis.cloudevents import CloudEvent
from chassis.ports import Stored, Write
from chassis.transaction import adapter
from testkit.table import Table, require_to_fit

T = TypeVar("T")


class MemoryStore:
    """A store. Each of its `failures` is raised by one commit, which then writes nothing."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.failures: list[Exception] = []
        self.reads: list[Sequence[str]] = []
        self.commits: list[Sequence[Write]] = []
        self.table = Table(now)

    def put(self, key: str, value: object) -> None:
        """Store a value as another replica would: at once, under a new ETag."""
        etag = self.table.read([key])[key].etag
        self.table.commit([Write(key, adapter(type(value)).dump_json(value), etag)])

    def get(self, key: str, kind: type[T]) -> T | None:
        return self.table.get(key, kind)

    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        self.reads.append(keys)
        return self.table.read(keys)

    async def commit(self, writes: Sequence[Write]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.table.commit(writes)
        self.commits.append(writes)


class MemoryBroker:
    """A broker. Each of its `failures` is raised by one publish, which then sends nothing."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.published: defaultdict[str, list[CloudEvent]] = defaultdict(list)

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        for event in events:
            require_to_fit(len(event.on_the_wire()), event.id)
            self.published[topic].append(event)
