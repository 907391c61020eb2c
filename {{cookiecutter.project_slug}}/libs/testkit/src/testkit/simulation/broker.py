"""A broker in memory: every message to each service that subscribes, until it is acknowledged.

It hands a message to the endpoint that the service gave its sidecar, in the bulk format of daprd.
"""

import json
from base64 import b64encode
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.requests import Request

from chassis.cloudevents import CloudEvent
from chassis.deliveries import SUCCESS
from chassis.errors import Unavailable
from testkit.simulation import faults
from testkit.simulation.faults import COPIES, Fault
from testkit.simulation.process import Outside, Pending, Process
from testkit.table import require_to_fit

#: `components/resiliency.yaml`: tried again so soon. It gives up far later than our faults do.
RETRY_SECONDS = 3.0
#: Whoever fails so often without a fault will fail for ever.
MAX_FAILURES = 20
#: Messages of one bulk; in twos and threes they find out all that a hundred would.
MAX_BULK = 3


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
    def __init__(self, world: Outside, subscribers: dict[str, list[str]]) -> None:
        #: Everything that was ever published, repetitions included.
        self.log: list[Published] = []
        self._world = world
        self._subscribers = defaultdict(list, subscribers)
        #: What waits to be delivered, by service and topic.
        self._queues: dict[tuple[str, str], dict[Delivery, Pending]] = defaultdict(dict)

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
        subscription = (delivery.service, delivery.message.topic)
        queue = self._queues[subscription]

        def arrive(fault: Fault) -> None:
            del queue[delivery]
            if fault is Fault.HELD:
                self._world.hold_back(*subscription)
            if wait := self._world.held_back(*subscription):
                self._world.later(wait, lambda: self._send(delivery))
                return
            for _ in range(COPIES.get(fault, 1) - 1):
                self._send(Delivery(delivery.message, delivery.service), (Fault.NONE,))
            # What waits for the same service, too, may come in the same bulk.
            bulk = [delivery]
            for _ in range(self._world.choices.order(min(len(queue) + 1, MAX_BULK))):
                another, waiting = queue.popitem()
                self._world.forget(waiting)
                self._world.record("broker", f"{another.message}, in the same bulk")
                bulk.append(another)
            process = self._world.process_of(delivery.service)
            for each in bulk:
                process.owes[each] = partial(self._send, each)
            process.spawn(self._deliver(process, delivery.message.topic, bulk))

        what = f"{delivery.message} to {delivery.service}"
        queue[delivery] = self._world.wait("broker", what, can_fail, arrive)

    async def _deliver(self, process: Process, topic: str, bulk: Sequence[Delivery]) -> None:
        endpoint = process.member.endpoints[f"/events/{topic}"]
        statuses = await _bulk(endpoint, [delivery.message.raw for delivery in bulk])
        for delivery, status in zip(bulk, statuses, strict=True):
            await self._acknowledge(process, delivery, status)

    async def _acknowledge(self, process: Process, delivery: Delivery, status: str) -> None:
        if status == SUCCESS:
            try:
                what = f"acknowledge {delivery.message}"
                await process.effect(what, faults.ACKNOWLEDGE, lambda: None)
            except Unavailable:
                status = "not acknowledged"
        del process.owes[delivery]
        if status != SUCCESS:
            delivery.failures += 1
            if delivery.failures < MAX_FAILURES:
                self._world.later(RETRY_SECONDS, lambda: self._send(delivery))


async def _bulk(endpoint: Any, raws: Sequence[bytes]) -> list[str]:
    """The statuses of the service. Whatever it raises is an HTTP 500 to the sidecar: try again."""
    entries = [
        {"entryId": str(number), "event": b64encode(raw).decode()}
        for number, raw in enumerate(raws)
    ]
    body = json.dumps({"entries": entries}).encode()

    scope = {"type": "http", "headers": [(b"content-length", b"%d" % len(body))]}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        answer = await endpoint(Request(scope, receive))
    except Exception as error:
        return [f"HTTP 500: {error!r}"] * len(raws)
    return [each["status"] for each in answer["statuses"]]
