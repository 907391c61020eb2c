"""Rows in memory that behave as a sidecar's transactional store does: see `testing.contract`."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TypeVar

from chassis.errors import StaleWrite, TooLarge
from chassis.ports import Stored, Write, check_keys, check_writes
from chassis.transaction import adapter

T = TypeVar("T")

ABSENT = Stored()
#: What daprd takes in one call, unless `--max-body-size` says otherwise.
MAX_CALL_BYTES = 4 * 1024 * 1024


def require_to_fit(size: int, what: str) -> None:
    """Raises `TooLarge`, as a sidecar does."""
    if size > MAX_CALL_BYTES:
        raise TooLarge(f"{what}: {size} bytes, and {MAX_CALL_BYTES} are the limit of a call")


class Table:
    def __init__(self, now: Callable[[], float]) -> None:
        """`now` in seconds, for the TTLs."""
        #: Every write that was stored, in order.
        self.log: list[Write] = []
        self._now = now
        self._rows: dict[str, tuple[Stored, float | None]] = {}
        self._etags = map(str, count(1))

    def get(self, key: str, kind: type[T]) -> T | None:
        value = self._stored(key).value
        return None if value is None else adapter(kind).validate_json(value)

    def __contains__(self, key: str) -> bool:
        return self._stored(key) is not ABSENT

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self._rows if key.startswith(prefix) and key in self]

    def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        check_keys(keys)
        return {key: self._stored(key) for key in keys}

    def commit(self, writes: Sequence[Write]) -> None:
        """All or none, as `chassis.ports.Store` says."""
        check_writes(writes)
        size = sum(len(write.key) + len(write.value or b"") for write in writes)
        require_to_fit(size, f"a commit of {len(writes)} writes")
        for write in writes:
            if self.is_stale(write):
                raise StaleWrite(write.key)
        for write in writes:
            self._put(write)
        self.log += writes

    def is_stale(self, write: Write) -> bool:
        return self._stored(write.key).etag != write.etag

    def _stored(self, key: str) -> Stored:
        stored, expires_at = self._rows.get(key, (ABSENT, None))
        return ABSENT if expires_at is not None and expires_at <= self._now() else stored

    def _put(self, write: Write) -> None:
        if write.value is None:
            del self._rows[write.key]
            return
        # A write without a TTL takes away the one that was there.
        expires_at = None if write.ttl_seconds is None else self._now() + write.ttl_seconds
        self._rows[write.key] = Stored(write.value, next(self._etags)), expires_at
