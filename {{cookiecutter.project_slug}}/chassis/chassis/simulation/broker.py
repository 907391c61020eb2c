"""A broker in memory: every message to each service that subscribes, until it is acknowledged.

It hands a message to the endpoint that the service gave its sidecar, in the bulk format of daprd.
"""

import json
from base64 import b64encode
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from chassis.cloudevents import CloudEvent
from chassis.deliveries import SUCCESS
from chassis.errors import Unavailable
from chassis.simulation import faults
from chassis.simulation.faults import COPIES, Fault
from chassis.simulation.process import Process
from chassis.testing.table import require_to_fit

if TYPE_CHECKING:
    from chassis.simulation.world import World

#: `components/resiliency.yaml`: tried again so soon. It gives up far later than our faults do.
RETRY_SECONDS = 3.0
#: Whoever fails so often without a fault will fail for ever.
MAX_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Published:
    topic: str
    raw: bytes
    #: None when the message is no CloudEvent.
    event: CloudEvent | None

    def __str__(self) -> str:
        about = f"of {self.event.subject}" if self.event else "that nobody can read"
        return f"{self.topic} {about}"


@dataclass(eq=False, slots=True)
class Delivery:
    """A message on its way to one service. Each copy is one of its own."""

    message: Published
    service: str
    failures: int = 0


class SimulatedBroker:
    def __init__(self, world: "World", subscribers: dict[str, list[str]]) -> None:
        #: Everything that was ever published, repetitions included.
        self.log: list[Published] = []
        self._world = world
        self._subscribers = defaultdict(list, subscribers)

    def subscribers(self, topic: str) -> Sequence[str]:
        return self._subscribers[topic]

    def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        for event in events:
            raw = event.on_the_wire()
            require_to_fit(len(raw), event.id)
            self.publish_raw(Published(topic, raw, event))

    def publish_raw(self, message: Published) -> None:
        self.log.append(message)
        for service in self._subscribers[message.topic]:
            self._send(Delivery(message, service))

    def _send(self, delivery: Delivery, can_fail: Sequence[Fault] = faults.DELIVER) -> None:
        def arrive(fault: Fault) -> None:
            for _ in range(COPIES.get(fault, 1) - 1):
                self._send(Delivery(delivery.message, delivery.service), (Fault.NONE,))
            process = self._world.process_of(delivery.service)
            process.owes[delivery] = lambda: self._send(delivery)
            process.spawn(self._deliver(process, delivery))

        self._world.wait("broker", f"{delivery.message} to {delivery.service}", can_fail, arrive)

    async def _deliver(self, process: Process, delivery: Delivery) -> None:
        message = delivery.message
        verdict = await _bulk(process.member.endpoints[f"/events/{message.topic}"], message.raw)
        if verdict == SUCCESS:
            try:
                await process.effect(f"acknowledge {message}", faults.ACKNOWLEDGE, lambda: None)
            except Unavailable:
                verdict = "not acknowledged"
        del process.owes[delivery]
        if verdict != SUCCESS:
            delivery.failures += 1
            if delivery.failures < MAX_FAILURES:
                self._world.later(RETRY_SECONDS, lambda: self._send(delivery))


async def _bulk(endpoint: Any, raw: bytes) -> str:
    """The verdict of the service. Whatever it raises is an HTTP 500 to the sidecar: try again."""
    body = json.dumps({"entries": [{"entryId": "1", "event": b64encode(raw).decode()}]}).encode()

    scope = {"type": "http", "headers": [(b"content-length", b"%d" % len(body))]}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        answer = await endpoint(Request(scope, receive))
    except Exception as error:
        return f"HTTP 500: {error!r}"
    verdict: str = answer["statuses"][0]["status"]
    return verdict
