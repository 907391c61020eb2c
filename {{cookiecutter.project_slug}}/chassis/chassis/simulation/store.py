"""A store in memory that outlives its services: atomic commits, guarded by ETags."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import TypeVar

from chassis.errors import StaleWrite
from chassis.ports import Stored, Write, check
from chassis.transaction import adapter

T = TypeVar("T")

ABSENT = Stored()


class SimulatedStore:
    def __init__(self) -> None:
        #: Every write that was stored, in order.
        self.log: list[Write] = []
        self._stored: dict[str, Stored] = {}
        self._etags = count(1)

    def get(self, key: str, kind: type[T]) -> T | None:
        value = self._stored.get(key, ABSENT).value
        return None if value is None else adapter(kind).validate_json(value)

    def __contains__(self, key: str) -> bool:
        return key in self._stored

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self._stored if key.startswith(prefix)]

    def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        return {key: self._stored.get(key, ABSENT) for key in keys}

    def commit(self, writes: Sequence[Write]) -> None:
        """All or none. Raises `StaleWrite`, and `ValueError` for what `check` refuses."""
        check(writes)
        for write in writes:
            if self.is_stale(write):
                raise StaleWrite(write.key)
        for write in writes:
            if write.value is None:
                self._stored.pop(write.key, None)
            else:
                self._stored[write.key] = Stored(write.value, str(next(self._etags)))
        self.log += writes

    def is_stale(self, write: Write) -> bool:
        return self._stored.get(write.key, ABSENT).etag != write.etag
