"""What every event and command has: the order it belongs to, and a version of its schema."""

from typing import ClassVar

from contracts.values import OrderId, Value


class Message(Value):
    # Stated by the class of an old version; otherwise it follows from the name of the class.
    topic: ClassVar[str]
    # Raise it for a change that an older consumer cannot read.
    version: ClassVar[int] = 1

    order_id: OrderId

    @property
    def subject(self) -> str:
        """The CloudEvents subject: which order this is about."""
        return str(self.order_id)


class Event(Message):
    """Something that happened. Its publisher owns it, and does not know who listens."""


class Command(Message):
    """Something one participant is asked to do. The participant owns it, and always answers."""
