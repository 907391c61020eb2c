"""The handlers of one adapter file: which message goes to which function."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import ValidationError

from chassis.cloudevents import CloudEvent
from chassis.errors import Rejected
from chassis.messages import Message, topic_of, type_of
from chassis.transaction import Transaction

M = TypeVar("M", bound=Message)

Outcome = Message | Sequence[Message] | None
Handler = Callable[[M, Transaction], Awaitable[Outcome]]
H = TypeVar("H", bound=Handler[Any])


@dataclass(frozen=True, slots=True)
class Step:
    """A topic, the message types that may arrive on it, and the handler that they go to."""

    topic: str
    messages: Mapping[str, type[Message]]
    handler: Handler[Any]

    async def run(self, event: CloudEvent, tx: Transaction) -> tuple[Message, ...]:
        """Raises `Rejected` when the event is not one that this handler can read."""
        outcome = await self.handler(read(event, self.messages), tx)
        if outcome is None:
            return ()
        return tuple(outcome) if isinstance(outcome, Sequence) else (outcome,)

    @property
    def outcomes(self) -> frozenset[type[Message]]:
        """The messages that the handler may return, by its annotation."""
        return frozenset(_messages(get_type_hints(self.handler).get("return")))


def _messages(annotation: Any) -> Iterator[type[Message]]:
    for part in get_args(annotation):
        yield from _messages(part)
    if isinstance(annotation, type) and hasattr(annotation, "version"):
        yield annotation


def step(handler: Handler[Any], *messages: type[Message], topic: str | None = None) -> Step:
    """One handler for these messages; the topic follows from the first one unless it is given."""
    return Step(topic or topic_of(messages[0]), by_type(*messages), handler)


def by_type(*messages: type[M]) -> dict[str, type[M]]:
    return {type_of(message): message for message in messages}


def read(event: CloudEvent, messages: Mapping[str, type[M]]) -> M:
    """The message in the envelope. Raises `Rejected` for an unknown type or version."""
    message = messages.get(event.type)
    if message is None:
        raise Rejected(f"type {event.type!r} is not one of {sorted(messages)}")
    try:
        return message.model_validate(event.data)
    except ValidationError as error:
        raise Rejected(f"{event.type}: {error}") from error


class Handlers:
    """A registry: `@handlers.on(OrderPlaced)` above the function that handles it."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}

    def on(self, *messages: type[Message], topic: str | None = None) -> Callable[[H], H]:
        """Each message arrives on a topic of its own, or all of them on the one that is given."""

        def register(handler: H) -> H:
            together = [messages] if topic else [(message,) for message in messages]
            for group in together:
                new = step(handler, *group, topic=topic)
                if new.topic in self._steps:
                    raise ValueError(f"topic {new.topic!r} already has a handler here")
                self._steps[new.topic] = new
            return handler

        return register

    def __getitem__(self, topic: str) -> Step:
        return self._steps[topic]

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps.values())
