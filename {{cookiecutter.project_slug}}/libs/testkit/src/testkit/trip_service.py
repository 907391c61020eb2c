"""The service that initiates trips, with stand-ins for all that its sidecar is to it."""

from collections.abc import Sequence
from typing import Any

from chassis.cloudevents import CloudEvent, envelope
from chassis.messages import Message
from chassis.ports import Participants
from chassis.saga import Progress, Saga
from chassis.saga.records import record_key
from chassis.service import Service
from chassis.settings import ServiceSettings
from testkit import MemoryBroker, MemoryEngine, MemoryStore, memory_ports
from testkit.trips import TRIP, TRIP_ID, say


class Trips(Service):
    """The service that initiates trips, with stand-ins for all of its sidecar."""

    def __init__(
        self,
        participants: Participants | None = None,
        memory: MemoryStore | None = None,
        bus: MemoryBroker | None = None,
    ) -> None:
        """A second replica has the store and the broker of the first one."""
        self.memory, self.bus = memory or MemoryStore(), bus or MemoryBroker()
        self.engine = MemoryEngine()
        ports = memory_ports(
            store=self.memory, broker=self.bus, engine=self.engine, participants=participants
        )
        super().__init__(ServiceSettings(app_id="trips"), title="Trips", ports=ports)

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
        return self.memory.get(record_key(saga, TRIP_ID), Progress)

    def sent(self, topic: str) -> Sequence[CloudEvent]:
        return self.bus.published[topic]
