"""What the chassis asks of a message, and its names: the topic and the CloudEvents type."""

import re
from functools import cache
from typing import Any, ClassVar, Protocol, Self

#: What every broker accepts, replies in a CloudEvent's `replyto` included.
TOPIC = re.compile(r"[a-z][a-z0-9-]{0,79}")


class Message(Protocol):
    """An event or a command: a pydantic model that knows its version and its subject.

    `topic: ClassVar[str]` is optional: without it, the topic follows from the name of the class.
    """

    version: ClassVar[int]

    @property
    def subject(self) -> str: ...

    @classmethod
    def model_validate(cls, obj: Any, /) -> Self: ...

    def model_dump(
        self, *, mode: str, exclude_unset: bool = False, warnings: bool = True
    ) -> dict[str, Any]: ...


@cache
def topic_of(message: type[Message]) -> str:
    """The topic that the class states, or `MoneyDeposited` -> `money-deposited`."""
    stated = getattr(message, "topic", None)
    if isinstance(stated, str):
        return valid_topic(stated)
    name = message.__name__
    # The name of a version is not the name of the topic, which all versions share.
    if versioned := re.fullmatch(r"(.+)V\d+", name):
        raise ValueError(f'{name} needs `topic = "{_hyphenated(versioned[1])}"` and its `version`')
    return valid_topic(_hyphenated(name))


def name_of(message: type[Message]) -> str:
    """The name of the class, the same for each version: `MoneyDepositedV1` -> `MoneyDeposited`."""
    return message.__name__.removesuffix(f"V{message.version}")


def type_of(message: type[Message]) -> str:
    """The CloudEvents type: `money-deposited.v1`."""
    if message.version < 1:
        raise ValueError(f"{message.__name__} has version {message.version}: versions begin at 1")
    return f"{topic_of(message)}.v{message.version}"


def valid_topic(name: str) -> str:
    if not TOPIC.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a topic: a lower-case letter, and then up to 79 lower-case "
            "letters, digits and hyphens"
        )
    return name


def _hyphenated(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
