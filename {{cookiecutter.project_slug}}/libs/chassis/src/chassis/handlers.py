"""The handlers of one adapter file: which message goes to which function."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, TypeVar, Union, cast, get_args, get_type_hints

from pydantic import ValidationError

from chassis.barrier import barrier_key, before_do, before_undo
from chassis.cloudevents import CloudEvent
from chassis.errors import Rejected
from chassis.messages import Message, topic_of, type_of, valid_topic
from chassis.text import why_invalid
from chassis.transaction import Transaction

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Request:
    """A command as an outcome: the same one under the same id, whatever message leads to it."""

    command: Message
    id: str
    #: The topic of the reply.
    replyto: str


Outcome = Message | Request | Sequence[Message | Request] | None
Handler = Callable[[M, Transaction], Awaitable[Outcome]]
H = TypeVar("H", bound=Handler[Any])


@dataclass(frozen=True, slots=True)
class Step:
    """A topic, the message types that may arrive on it, and the handler that they go to."""

    topic: str
    messages: Mapping[str, type[Message]]
    handler: Handler[Any]

    async def run(self, event: CloudEvent, tx: Transaction) -> tuple[Message | Request, ...]:
        """Raises `Rejected` when the event is not one that this handler can read."""
        outcome = await self.handler(read(event, self.messages), tx)
        if outcome is None:
            return ()
        return tuple(outcome) if isinstance(outcome, Sequence) else (outcome,)

    @property
    def outcomes(self) -> frozenset[type[Message]]:
        """The messages that the handler may return, by its annotation."""
        return frozenset(messages_in(get_type_hints(self.handler).get("return")))


def messages_in(annotation: Any) -> Iterator[type[Message]]:
    """The classes of messages that an annotation names."""
    for part in get_args(annotation):
        yield from messages_in(part)
    if isinstance(annotation, type) and hasattr(annotation, "version"):
        yield annotation


def returns(*messages: type[Message]) -> Callable[[Handler[Any]], Handler[Any]]:
    """Say which messages a handler may return, where they are not known before it is made."""

    def annotate(handler: Handler[Any]) -> Handler[Any]:
        # Its name, which messages about handlers name; its annotations are what is replaced.
        @wraps(handler, assigned=("__module__", "__name__", "__qualname__"))
        async def run(message: Any, tx: Transaction) -> Outcome:
            return await handler(message, tx)

        run.__annotations__["return"] = Union[(*messages, None)]
        return run

    return annotate


def step(handler: Handler[Any], *messages: type[Message], topic: str | None = None) -> Step:
    """One handler for these messages; the topic follows from the first one unless it is given."""
    return Step(valid_topic(topic or topic_of(messages[0])), by_type(*messages), handler)


def by_type(*messages: type[M]) -> dict[str, type[M]]:
    """Raises `ValueError` if two classes have the same type."""
    found: dict[str, type[M]] = {}
    for message in messages:
        other = found.setdefault(type_of(message), message)
        if other is not message:
            raise ValueError(
                f"{_named(other)} and {_named(message)} are both {type_of(message)}: "
                "give each its own `version`"
            )
    return found


def _named(message: type[Message]) -> str:
    return f"{message.__module__}.{message.__qualname__}"


def read(event: CloudEvent, messages: Mapping[str, type[M]]) -> M:
    """The message in the envelope. Raises `Rejected` for an unknown type or version."""
    message = messages.get(event.type)
    if message is None:
        raise Rejected(f"type {event.type!r} is not one of {sorted(messages)}")
    try:
        return message.model_validate(event.data)
    except ValidationError as error:
        raise Rejected(f"{event.type}: {why_invalid(error)}") from error


class Handlers:
    """A registry: `@handlers.on(MoneyDeposited)` above the function that handles it."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        #: By the topic of a command's class, that of the command which it undoes.
        self._undoes: dict[str, str] = {}

    def on(
        self,
        *messages: type[Message],
        topic: str | None = None,
        undoes: type[Message] | None = None,
    ) -> Callable[[H], H]:
        """Versions of one message are one step; so are all messages if their topic is given.

        What a command `undoes` gets a barrier: see `chassis.barrier`. The function that comes back
        is behind it, so choreography calls that one.
        """

        def register(handler: H) -> H:
            _check_annotation(handler, messages)
            guarded = self._guarded(handler)
            groups: dict[str, list[type[Message]]] = {}
            for message in messages:
                groups.setdefault(topic or topic_of(message), []).append(message)
            for group in groups.values():
                new = step(guarded, *group, topic=topic)
                if new.topic in self._steps:
                    raise ValueError(f"topic {new.topic!r} already has a handler here")
                self._steps[new.topic] = new
            if undoes is not None:
                # By the classes: a topic that is given here may be shared by many of them.
                self._undoes |= {topic_of(message): topic_of(undoes) for message in messages}
            return guarded

        return register

    def check_barriers(self) -> None:
        """Raises `ValueError` if what a command undoes is done elsewhere: without a barrier."""
        done = {topic_of(message) for each in self for message in each.messages.values()}
        for undo, do in self._undoes.items():
            if do not in done:
                raise ValueError(
                    f"{undo!r} undoes {do!r}, which has no handler in the same Handlers: move it "
                    "there, or it may be done after it was undone"
                )

    def barriers(self, subject: str) -> list[str]:
        """The keys that commands about this subject read."""
        return [barrier_key(undone, subject) for undone in self._undoes.values()]

    def _guarded(self, handler: H) -> H:
        @wraps(handler)
        async def run(message: Message, tx: Transaction) -> Outcome:
            topic = topic_of(type(message))
            undone = self._undoes.get(topic)
            if undone is not None:
                await before_undo(undone, message.subject, tx)
            elif topic in self._undoes.values():
                await before_do(topic, message.subject, tx)
            return await handler(message, tx)

        return cast(H, run)

    def undoes(self, undo: type[Message], done: type[Message]) -> bool:
        """Whether there is a barrier between the two."""
        return self._undoes.get(topic_of(undo)) == topic_of(done)

    def can_be_undone(self, done: type[Message]) -> bool:
        return topic_of(done) in self._undoes.values()

    def __contains__(self, topic: str) -> bool:
        return topic in self._steps

    def __getitem__(self, topic: str) -> Step:
        return self._steps[topic]

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps.values())


def _check_annotation(handler: Handler[Any], messages: Sequence[type[Message]]) -> None:
    """A handler says by its annotation which messages, and which versions of them, it reads."""
    first = next(iter(signature(handler, eval_str=True).parameters.values()))
    read = tuple(messages_in(first.annotation))
    for message in messages:
        if read and not issubclass(message, read):
            raise ValueError(
                f"{getattr(handler, '__qualname__', handler)} is registered for "
                f"{message.__name__}, and its annotation does not name it"
            )
