"""What a service needs from the outside. `main.py` composes it of them, a test of others.

`testkit.contract` says in tests what store and broker do, and runs against all of them.
"""

import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from chassis.cloudevents import CloudEvent
from chassis.errors import Rejected
from chassis.settings import MAX_TTL_SECONDS

#: A PostgreSQL index holds no more than 2,704 bytes of a key, the sidecar's prefix included.
MAX_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """A value as the store has it. Without an ETag the key is absent."""

    value: bytes | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One key of a transaction: written only if its ETag is still the one that was read.

    `etag=None` means that the key must still be absent. `value=None` deletes the key, which needs
    an ETag: where nothing is, there is nothing to delete. `ttl_seconds` is how long the value
    stays, to the second; `None` is for ever.
    """

    key: str
    value: bytes | None
    etag: str | None
    ttl_seconds: int | None = None


def check_keys(keys: Iterable[str]) -> None:
    """Refuse what is a key in one store and not in another. Raises `Rejected`.

    A sidecar keeps `||` for itself, PostgreSQL takes no NUL, and gRPC no half of a surrogate pair.
    """
    for key in keys:
        try:
            size = len(key.encode())
        except UnicodeEncodeError as error:
            raise Rejected(f"{key!r} is no key: {error}") from error
        if size > MAX_KEY_BYTES:
            raise Rejected(f"{key[:50]!r}… is no key: {size} bytes are too long")
        if "||" in key or "\0" in key:
            raise Rejected(f"{key!r} is no key: it holds '||' or NUL")


def check_writes(writes: Sequence[Write]) -> None:
    """Refuse what stores do not treat alike. Raises `Rejected` for a key, else `ValueError`.

    daprd deletes without an ETag whatever is there, and takes the second write of one key for a
    lost ETag race, which would be run again for ever. PostgreSQL takes no empty value.
    """
    keys = [write.key for write in writes]
    check_keys(keys)
    for write in writes:
        if write.value is None and write.etag is None:
            raise ValueError(f"{write.key!r}: a delete needs the ETag that was read")
        if write.value == b"":
            raise ValueError(f"{write.key!r}: an empty value cannot be stored")
        if write.ttl_seconds is not None and not 0 < write.ttl_seconds <= MAX_TTL_SECONDS:
            raise ValueError(f"{write.key!r}: {write.ttl_seconds} is no TTL")
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice!r} is written twice in one transaction")


class Store(Protocol):
    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """All keys in one call; an absent key maps to an empty `Stored`.

        Raises `Unavailable`, and `Rejected` for what can be no key.
        """

    async def commit(self, writes: Sequence[Write]) -> None:
        """All writes or none.

        Raises `StaleWrite` when an ETag lost its race, `Unavailable` when the store is away,
        `TooLarge` when the writes are too much for one call, and what `check_writes` raises.
        """


class Broker(Protocol):
    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        """Returns once the broker has every event. Whatever it raises, some may have been sent.

        Raises `Unavailable` when the broker is away, `Refused` when it will not take one of them,
        and `TooLarge` when one of them is too much for a call of its own.
        """


class Participants(Protocol):
    """Other services, asked by service invocation."""

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        """The participant's own reply to the command, a `CommandRefused` included.

        Raises `Unavailable` for anything else: it may have done what it was asked.
        """

    async def close(self) -> None: ...


class Worker(Protocol):
    """What runs workflows and activities, as the SDK's `WorkflowRuntime`."""

    def register_workflow(self, fn: Any, /, *, name: str) -> None: ...

    def register_activity(self, fn: Any, /, *, name: str) -> None: ...

    def start(self) -> None:
        """Blocks until the engine has taken the worker."""

    def shutdown(self) -> None: ...


class WorkflowClient(Protocol):
    """What begins workflows, as the SDK's `DaprWorkflowClient`. Raises `AioRpcError`."""

    def schedule_new_workflow(
        self, workflow: str, /, *, input: Any, instance_id: str
    ) -> Awaitable[Any]: ...

    def raise_workflow_event(
        self, instance_id: str, event_name: str, /, *, data: Any = None
    ) -> Awaitable[Any]: ...


class Engine(Protocol):
    """The workflow engine."""

    def worker(self, refused: Callable[[str], None]) -> Worker:
        """`refused` is called with the id of a workflow whose answer the engine has refused."""

    def client(self) -> WorkflowClient:
        """It belongs to the event loop that it is made on."""


class Supervisor(Protocol):
    """What a service asks its sidecar about the sidecar itself."""

    async def answers(self, route: str) -> bool:
        """Whether this route of its health API says that it is well."""

    async def components(self) -> Set[str]:
        """The names of the components that it has loaded. Raises `Unavailable`."""

    async def actor_types(self) -> Set[str]:
        """The types of actors that it hosts, workflows among them. Raises `Unavailable`."""

    async def shut_down(self) -> None:
        """Ask it to end, so that what runs it starts it again. Raises `Unavailable`."""

    async def close(self) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, in UTC."""


class Random(Protocol):
    def uniform(self, a: float, b: float, /) -> float:
        """A number between the two."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


CLOCK: Clock = SystemClock()
RANDOM: Random = random.Random()
