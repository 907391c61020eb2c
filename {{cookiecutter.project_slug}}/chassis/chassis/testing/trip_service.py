"""The service that initiates trips, with stand-ins for all that its sidecar is to it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from chassis.cloudevents import CloudEvent, envelope
from chassis.messages import Message
from chassis.saga import Progress, Saga
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.testing import MemoryBroker, MemoryStore
from chassis.testing.trips import TRIP, TRIP_ID, say
from chassis.workflow_host import WorkflowHost
from chassis.workflows import Workflow


class Jobs:
    """Notes what is scheduled and deleted, in the one story of all that happens."""

    def __init__(self, story: list[str]) -> None:
        self.story = story
        self.failures: list[Exception] = []

    async def schedule(self, name: str, every: timedelta, data: bytes) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.story.append(f"schedule {name}")

    async def delete(self, name: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.story.append(f"delete {name}")


class Engine(WorkflowHost):
    """Notes what it is asked to start and to raise."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str]] = []
        self.raised: list[CloudEvent] = []

    async def begin(self, workflow: Workflow[Any, Any], instance_id: str, start: BaseModel) -> None:
        self.begun.append((workflow.__name__, instance_id))

    async def raise_event(self, event: CloudEvent) -> None:
        self.raised.append(event)


class Trips(Service):
    """The service that initiates trips, with stand-ins for all of its sidecar."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.memory, self.bus, self.jobs = MemoryStore(), MemoryBroker(), Jobs(self.story)
        self.engine = Engine()
        settings = ServiceSettings(app_id="trips", dapr_http_port=1, dapr_grpc_port=1)
        super().__init__(
            settings, title="Trips", store=self.memory, broker=self.bus, jobs=self.jobs
        )

    @property
    def workflows(self) -> WorkflowHost:
        return self.engine

    async def deliver(self, event: CloudEvent, topic: str) -> None:
        await self.subscriptions.handle(event, topic)

    async def reply(self, *replies: type[Message] | Message, **attributes: Any) -> None:
        """Each one as a new message on the topic of the replies."""
        for number, reply in enumerate(replies):
            message = say(reply) if isinstance(reply, type) else reply
            options: dict[str, Any] = {"id": f"{type(message).__name__}-{number}"} | attributes
            event = envelope(message, source="participant", traceparent=None, **options)
            await self.deliver(event, "trip-requested-replies")

    def progress(self, saga: Saga = TRIP) -> Progress | None:
        return self.memory.get(f"process:{saga.name}:{TRIP_ID}", Progress)

    def sent(self, topic: str) -> Sequence[CloudEvent]:
        return self.bus.published[topic]
