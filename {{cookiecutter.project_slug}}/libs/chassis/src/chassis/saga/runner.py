"""What a style needs from the service that initiates its processes, and what it gives to it."""

from collections.abc import Sequence
from typing import ClassVar, Protocol, TypeVar

from pydantic import BaseModel

from chassis.cloudevents import CloudEvent, derived_id, envelope
from chassis.handlers import Handlers
from chassis.inbox import Destination
from chassis.messages import Message, type_of
from chassis.ports import Broker, Clock
from chassis.processor import Processor
from chassis.saga.declaration import Saga
from chassis.saga.progress import Progress
from chassis.saga.records import Records
from chassis.saga.styles import Engine, Style
from chassis.settings import ServiceSettings
from chassis.subscriptions import Then
from chassis.telemetry import traceparent
from chassis.workflow_host import WorkflowHost
from chassis.workflows import Workflows

T = TypeVar("T")


class Initiator(Protocol):
    """The part of `chassis.Service` that runs processes."""

    settings: ServiceSettings
    broker: Broker
    clock: Clock
    processor: Processor

    @property
    def workflows(self) -> WorkflowHost: ...

    def subscribe(self, events: Handlers) -> None: ...

    def await_replies(
        self, replies: Handlers, destination: Destination | None, then: Then | None = None
    ) -> None: ...

    def host(self, *workflows: Workflows) -> None: ...

    def publishes(self, *messages: type[Message]) -> None: ...

    def show_processes(self) -> None: ...

    async def look_up(self, key: str, kind: type[T]) -> T | None: ...


class Runner(Protocol):
    """A saga in one style."""

    saga: Saga
    style: Style
    engine: Engine | None

    def join(self, service: Initiator, records: Records) -> None:
        """Subscribe, host, publish: all that the style needs of its service."""

    async def begin(self, started: Message) -> None:
        """Commit the record of a process, and then launch it: it is not known to have begun.

        Order matters: of two beginnings the first commit decides the style, and what is launched
        before it could be done in two. The sweep launches what a crash has left. Raises
        `Unavailable`, then it may have begun.
        """

    async def look_at(self, progress: Progress) -> None:
        """Keep its time limits: the sweep has found that it has not ended. Raises `Unavailable`."""


class Launch(BaseModel):
    """The outcome of the commit that begins a process: it is to be launched, in this style."""

    version: ClassVar[int] = 1

    id: str
    style: Style
    engine: Engine | None

    @property
    def subject(self) -> str:
        return self.id

    @classmethod
    def by(cls, runner: Runner, id: str) -> "Launch":
        return cls(id=id, style=runner.style, engine=runner.engine)


def is_to_launch(runner: Runner, id: str, outcomes: Sequence[CloudEvent]) -> bool:
    """Whether the commit, which another replica may have made, was one of this runner."""
    said = Launch.by(runner, id).model_dump(mode="json")
    return any(each.type == type_of(Launch) and each.data == said for each in outcomes)


class LookAt(BaseModel):
    """The message of the sweep: see what of the process is late."""

    version: ClassVar[int] = 1

    id: str

    @property
    def subject(self) -> str:
        return self.id


def look_event(service: Initiator, saga: Saga, progress: Progress) -> CloudEvent:
    now = service.clock.now()
    return envelope(
        LookAt(id=progress.id),
        id=derived_id(saga.name, progress.id, "look", now.isoformat()),
        source=service.settings.app_id,
        traceparent=progress.traceparent,
        time=now,
    )


def start_event(service: Initiator, saga: Saga, started: Message) -> CloudEvent:
    """Idempotency: the same id however often, and in whichever style, the process is begun."""
    return envelope(
        started,
        id=_start_id(saga, started.subject),
        source=service.settings.app_id,
        traceparent=traceparent(),
        time=service.clock.now(),
    )


def recorded_start(service: Initiator, saga: Saga, progress: Progress) -> CloudEvent | None:
    """The same event as its record has it; None if an older release has recorded it."""
    if progress.started is None or progress.started_type is None or progress.started_at is None:
        return None
    return CloudEvent(
        id=_start_id(saga, progress.id),
        source=service.settings.app_id,
        type=progress.started_type,
        subject=progress.id,
        time=progress.started_at,
        traceparent=progress.traceparent,
        data=dict(progress.started),
    )


def _start_id(saga: Saga, id: str) -> str:
    return derived_id(saga.name, id)
