"""What the chassis asks of a message, and the names that follow from its class."""

import re
from functools import cache
from typing import Any, ClassVar, Protocol, Self


class Message(Protocol):
    """An event or a command: a pydantic model that knows its version and its subject."""

    version: ClassVar[int]

    @property
    def subject(self) -> str: ...

    @classmethod
    def model_validate(cls, obj: Any, /) -> Self: ...

    def model_dump(self, *, mode: str) -> dict[str, Any]: ...


@cache
def topic_of(message: type[Message]) -> str:
    """`OrderPlaced` -> `order-placed`: letters and hyphens, which every broker accepts."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", message.__name__).lower()


def type_of(message: type[Message]) -> str:
    """The CloudEvents type: `order-placed.v1`."""
    return f"{topic_of(message)}.v{message.version}"
