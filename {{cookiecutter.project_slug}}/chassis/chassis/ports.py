"""What a unit of work needs from the outside: a store with ETags, and a broker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chassis.cloudevents import CloudEvent


@dataclass(frozen=True, slots=True)
class Stored:
    """A value as the store has it. Without an ETag the key is absent."""

    value: bytes | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One key of a transaction: written only if its ETag is still the one that was read.

    `etag=None` means that the key must still be absent. `value=None` deletes the key, which needs
    an ETag: where nothing is, there is nothing to delete.
    """

    key: str
    value: bytes | None
    etag: str | None
    ttl_seconds: int | None = None


def check(writes: Sequence[Write]) -> None:
    """What every store refuses before it looks at a key. Raises `ValueError`.

    daprd deletes without an ETag whatever is there, and takes the second write of one key for a
    lost ETag race, which would be run again for ever.
    """
    keys = set()
    for write in writes:
        if write.value is None and write.etag is None:
            raise ValueError(f"{write.key!r}: a delete needs the ETag that was read")
        if write.key in keys:
            raise ValueError(f"{write.key!r} is written twice in one transaction")
        keys.add(write.key)


class Store(Protocol):
    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """All keys in one call; an absent key maps to an empty `Stored`.

        Raises `Unavailable`.
        """

    async def commit(self, writes: Sequence[Write]) -> None:
        """All writes or none.

        Raises `StaleWrite` when an ETag lost its race, `Unavailable` when the store is away,
        `ValueError` for what `check` refuses.
        """


class Broker(Protocol):
    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        """Returns once the broker has every event. Raises `Unavailable`, and may have sent some."""
