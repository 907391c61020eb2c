"""Processes over HTTP: begin one, once for each Idempotency-Key, and see how far it is."""

from typing import Any, ClassVar

from pydantic import BaseModel

from chassis.callers import ANYONE, Identity
from chassis.cloudevents import derived_id
from chassis.errors import Rejected
from chassis.handlers import by_type, step
from chassis.messages import Message, type_of
from chassis.saga.declaration import Saga
from chassis.saga.styles import Style
from chassis.saga.views import Failure, ProcessView, RetryView
from chassis.service import Service
from chassis.transaction import Transaction

__all__ = [
    "BeginProcess",
    "Failure",
    "ProcessAccepted",
    "ProcessView",
    "RetryView",
    "begin",
    "look_up",
]


class BeginProcess(BaseModel):
    """The request as a message to this service: the inbox holds its key against its content."""

    version: ClassVar[int] = 1

    id: str
    request: dict[str, Any]

    @property
    def subject(self) -> str:
        return self.id


class ProcessAccepted(BaseModel):
    """The request as it was accepted: a default that changes later changes nothing of it.

    It is recorded for good, so each version of it stays: see docs/versions.md.
    """

    version: ClassVar[int] = 1

    id: str
    style: Style
    #: Type and data of the message that starts the process.
    type: str
    started: dict[str, Any]

    @property
    def subject(self) -> str:
        return self.id


async def begin(
    service: Service,
    saga: Saga,
    key: str,
    request: BaseModel,
    style: Style,
    started: Message,
    caller: Identity = ANYONE,
) -> ProcessAccepted:
    """Begin the process that the request asks for; what was accepted under its key first, stands.

    It is the caller's: nobody else can look it up. The id of what was accepted is the one that
    counts: make `started` with a `NewId`, which nobody can guess. `main.py` names `ProcessAccepted`
    in `service.records(...)`. Raises `Rejected` for a style that this service does not run, and for
    another request under the same key; else `Unavailable`.
    """
    # First the style: a request that is refused does not use up its key.
    service.sagas.require(saga, style)
    request_id = derived_id(f"begin-{saga.name}", key)
    accepted = ProcessAccepted(
        id=started.subject,
        style=style,
        type=type_of(type(started)),
        started=started.model_dump(mode="json"),
    )

    async def accept(_: BeginProcess, tx: Transaction) -> ProcessAccepted:
        """The inbox record holds the key against what was accepted under it."""
        if caller.is_known:
            owner = _owner_key(saga, accepted.id)
            if await tx.get(owner, str) is not None:
                raise Rejected(f"there is a process {accepted.id} already")
            # Order matters: in one transaction with the key, before anything of it begins.
            tx.put(owner, caller.id)
        return accepted

    # Then the key, then the process: of two requests with one key, only the first one's content
    # may begin. If we crash in between, nothing has happened, and the same request goes on.
    (recorded,) = await service.take(
        # Not under the id of the process, which is another one in each attempt.
        BeginProcess(id=request_id, request=request.model_dump(mode="json", exclude_unset=True)),
        step(accept, BeginProcess),
        request_id,
    )
    assert isinstance(recorded, ProcessAccepted)
    start = by_type(*saga.starts).get(recorded.type)
    if start is None:
        raise Rejected(
            f"this Idempotency-Key was used for a {recorded.type}, which is not read any more: "
            "send a new key"
        )
    await service.sagas.begin(saga, recorded.style, start.model_validate(recorded.started))
    return recorded


async def look_up(
    service: Service, saga: Saga, id: str, caller: Identity | None = ANYONE
) -> ProcessView | None:
    """None if the caller has begun no process of this id. `caller=None`: whoever has begun it.

    Where callers are authenticated, a process that was begun before is nobody's.
    """
    if service.ports.authentication is not None and caller is not None:
        owner = await service.look_up(_owner_key(saga, id), str)
        if owner is None or owner != caller.id:
            return None
    progress = await service.sagas.progress(saga, id)
    return None if progress is None else ProcessView.of(saga, progress, service.clock.now())


def _owner_key(saga: Saga, id: str) -> str:
    return f"owner:{saga.name}:{id}"
