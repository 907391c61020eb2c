"""What is sent to a service: requests of its API, commands, and deliveries of events.

Each is made of the seed and of its own number, so that one can be made again alone.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from chassis import CloudEvent, Service
from chassis.deadletters import letter_id
from chassis.handlers import Step
from chassis.pieces import MAX_STRING
from tests.system.fuzz.examples import example
from tests.system.fuzz.hostile import KEYS, mutated, size

#: Messages of one bulk: daprd waits 5 ms for up to a hundred.
MAX_BULK = 100
#: Routes of the sidecar; what is sent there is made of messages.
NOT_API = ("/events/", "/commands/", "/dapr/", "/readyz")
TYPES = (
    "text/plain",
    "application/xml",
    "multipart/form-data",
    "application/x-www-form-urlencoded",
)


@dataclass(frozen=True)
class Message:
    """`is_poison`: it can never be handled, so it must become a dead letter."""

    raw: bytes
    is_poison: bool

    @property
    def letter(self) -> UUID:
        """Of what is very large, no more than this is read."""
        return letter_id(self.raw[: MAX_STRING // 4 * 3])


@dataclass(frozen=True)
class Shot:
    """One request; a delivery has messages in place of a body, and is a bulk or a single one."""

    number: int
    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    messages: Sequence[Message] = ()
    is_bulk: bool = False


def _swollen(value: Any) -> Any:
    """With a mark in the place of each list."""
    if isinstance(value, dict):
        return {name: _swollen(each) for name, each in value.items()}
    return "here" if isinstance(value, list) else value


class Range:
    """All that can be shot at a service."""

    def __init__(self, service: Service, seed: int) -> None:
        self._service = service
        self._seed = seed
        self._openapi = service.app.openapi()
        self._operations = list(self._api())
        self._commands = [path for path in self._openapi["paths"] if path.startswith("/commands/")]
        self._steps = {step.topic: step for step in service.steps}
        self._topics = sorted(service.subscriptions.subscribed)

    def worst(self) -> Iterator[Shot]:
        """What once led to 422 MB of memory, an answer of 25 MB, a cause of 169 MB."""
        lines = b'{"lines":[' + b",".join([b"{}"] * 80_000) + b"]}"
        for _, path, operation in self._operations:
            for type_ in operation.get("requestBody", {}).get("content", {}):
                path = (
                    path.replace("{letter_id}", str(UUID(int=0))).replace("{", "").replace("}", "")
                )
                for _ in range(8):
                    yield Shot(-1, "POST", path, lines, {"content-type": type_})
        first, second = self._topics[:2]
        for topic, items in ((first, b"{}"), (second, b'{"":0}'), (first, b"[]")):
            event = self._envelope(topic, Random(topic))
            data = _swollen(event["data"])
            event["data"] = data | {"lines": "here"} if data != event["data"] else "here"
            many = b"[" + b",".join([items] * (120_000 // len(items))) + b"]"
            yield self._of(topic, json.dumps(event).encode().replace(b'"here"', many), count=30)
        # Too much for one delivery; more than its JSON; more than is ever read.
        yield self._of(first, b"x" * 1_000_000, count=100)
        yield self._of(second, b"\x01" * 700_000, count=5)
        yield self._of(second, b"\xff" * 5_000_000, count=3)

    def _of(self, topic: str, raw: bytes, count: int) -> Shot:
        messages = [b"%d %s " % (n, topic.encode()) + raw for n in range(count)]
        if raw.startswith(b"{"):
            messages = [raw + b" " * n for n in range(count)]
        poison = [Message(each, is_poison=True) for each in messages]
        assert all(self.is_poison(topic, each) for each in messages)
        return Shot(-1, "POST", f"/events/{topic}", messages=poison, is_bulk=True)

    def shots(self, count: int) -> Iterator[Shot]:
        """So many bodies and messages, or a few more."""
        number = 0
        while count > 0:
            shot = self.shot(number)
            number, count = number + 1, count - (len(shot.messages) or 1)
            yield shot

    def shot(self, number: int) -> Shot:
        chance = Random(f"{self._seed} {number}")
        kinds: dict[Callable[[int, Random], Shot], float] = {
            self._request: 0.75,
            self._command if self._commands else self._request: 0.12,
            self._single: 0.08,
            self._bulk: 0.05,
        }
        (kind,) = chance.choices(list(kinds), list(kinds.values()))
        return kind(number, chance)

    def _api(self) -> Iterator[tuple[str, str, Any]]:
        for path, operations in self._openapi["paths"].items():
            if not path.startswith(NOT_API):
                for method, operation in operations.items():
                    yield method.upper(), path, operation

    def _request(self, number: int, chance: Random) -> Shot:
        method, path, operation = chance.choice(self._operations)
        headers = {}
        for parameter in operation.get("parameters", ()):
            value = str(example(parameter["schema"], self._openapi, chance))
            if chance.random() < 0.3:
                value = chance.choice((*KEYS, "..", "a/b", "%", "Ω")) * (size(chance) // 100)
            if parameter["in"] == "path":
                name = "{" + parameter["name"] + "}"
                path = path.replace(name, quote(value, safe="") or "%20")
            elif parameter["in"] == "query":
                path += f"?{parameter['name']}={quote(value, safe='')}"
            else:
                headers[parameter["name"]] = ascii(value)
        # A line of HTTP has an end, too: see the test of it.
        path = path[:30_000]
        content = operation.get("requestBody", {}).get("content", {})
        body = b""
        for type_, described in content.items():
            document = example(described["schema"], self._openapi, chance)
            body = mutated(_in_choreography(document), chance)
            headers["content-type"] = chance.choice(TYPES) if chance.random() < 0.05 else type_
        return Shot(number, method, path, body, {k: v[:8_000] for k, v in headers.items()})

    def _command(self, number: int, chance: Random) -> Shot:
        path = chance.choice(self._commands)
        body = mutated(self._envelope(path.removeprefix("/commands/"), chance), chance)
        headers = {"content-type": "application/cloudevents+json"}
        return Shot(number, "POST", path, body, headers)

    def _single(self, number: int, chance: Random) -> Shot:
        topic = chance.choice(self._topics)
        return Shot(number, "POST", f"/events/{topic}", messages=[self._message(topic, chance)])

    def _bulk(self, number: int, chance: Random) -> Shot:
        topic = chance.choice(self._topics)
        messages = [self._message(topic, chance) for _ in range(int(MAX_BULK ** chance.random()))]
        return Shot(number, "POST", f"/events/{topic}", messages=messages, is_bulk=True)

    def _message(self, topic: str, chance: Random) -> Message:
        raw = mutated(self._envelope(topic, chance), chance)
        if self._brought(topic, raw) in self._service.subscriptions.replies and not self.is_poison(
            topic, raw
        ):
            # A good reply is for a workflow, and would wait for it to be hosted.
            raw = raw[:-1]
        return Message(raw, self.is_poison(topic, raw))

    def _envelope(self, topic: str, chance: Random) -> Any:
        step = self._steps.get(topic) or chance.choice(list(self._steps.values()))
        type_, message = chance.choice(list(step.messages.items()))
        schema = TypeAdapter(message).json_schema()
        envelope = {
            "specversion": "1.0",
            "id": str(UUID(int=chance.getrandbits(128), version=4)),
            "source": "fuzz",
            "type": type_,
            "subject": "fuzz",
            "time": "2030-01-01T00:00:00Z",
            "data": example(schema, schema, chance),
        }
        if chance.random() < 0.3:
            envelope["replyto"] = "fuzz-replies"
        if chance.random() < 0.3:
            envelope["traceparent"] = (
                f"00-{chance.randbytes(16).hex()}-{chance.randbytes(8).hex()}-01"
            )
        return envelope

    def _brought(self, topic: str, raw: bytes) -> str | None:
        """Whose handler gets it: what the sidecar gave up on goes to that of its type."""
        return topic if topic in self._steps else self._service.subscriptions.published_on(raw)

    def is_poison(self, topic: str, raw: bytes) -> bool:
        brought = self._brought(topic, raw)
        step = self._steps.get(brought) if brought else None
        if step is None or len(raw) > self._service.settings.max_body_bytes:
            return True
        try:
            event = CloudEvent.model_validate_json(raw)
        except ValidationError:
            return True
        if brought in self._service.subscriptions.commands and event.replyto:
            # Its sender learns of it.
            return False
        return not _is_readable(event, step)


def _is_readable(event: CloudEvent, step: Step) -> bool:
    message = step.messages.get(event.type)
    try:
        return message is not None and bool(message.model_validate(event.data))
    except ValidationError:
        return False


def _in_choreography(document: Any) -> Any:
    """The other styles need workflows, which nothing hosts here."""
    if isinstance(document, dict) and "style" in document:
        return document | {"style": "choreography"}
    return document
