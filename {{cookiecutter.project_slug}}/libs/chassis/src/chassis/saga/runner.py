"""What a style needs from the service that initiates its processes, and what it gives to it."""

from typing import Protocol, TypeVar

from chassis.cloudevents import CloudEvent, derived_id, envelope
from chassis.handlers import Handlers
from chassis.inbox import Destination
from chassis.messages import Message
from chassis.ports import Broker, Clock
from chassis.processor import Processor
from chassis.saga.declaration import Saga
from chassis.saga.progress import Progress
from chassis.saga.records import Records
from chassis.saga.styles import Style
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

    async def look_up(self, key: str, kind: type[T]) -> T | None: ...


class Runner(Protocol):
    """A saga in one style."""

    saga: Saga
    style: Style

    def join(self, service: Initiator, records: Records) -> None:
        """Subscribe, host, publish: all that the style needs of its service."""

    async def begin(self, started: Message) -> None:
        """Start a process, once however often it is called for one subject.

        Raises `Unavailable`, then it may have begun.
        """

    def goes_on(self, progress: Progress) -> bool:
        """Whether a process of its style has begun on its engine."""

    async def look_at(self, progress: Progress) -> None:
        """Keep its time limits: the sweep has found that it has not ended. Raises `Unavailable`."""


def start_event(service: Initiator, saga: Saga, started: Message) -> CloudEvent:
    """Idempotency: the same id however often the process is begun."""
    return envelope(
        started,
        id=derived_id(saga.name, started.subject),
        source=service.settings.app_id,
        traceparent=traceparent(),
        time=service.clock.now(),
    )
