"""What the messages of every process are made of. A message's topic follows from its class."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

#: Characters of a text for people: two sentences.
MAX_TEXT = 500


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


# Nothing is decided by it, so a long one is no reason to refuse a message.
Text = Annotated[str, AfterValidator(_cut)]
MAX_CENTS = 100_000_000
#: Money is whole cents.
Cents = Annotated[int, Field(ge=0, le=MAX_CENTS)]
#: What somebody else calls a thing: safe inside a state key.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$", examples=["ada"])]


class Value(BaseModel):
    """Base of the published language: immutable, and a tolerant reader of newer producers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Value):
    """An event or a command. The base class of a process' messages adds the id of the process."""

    # Stated by the class of an old version; otherwise it follows from the name of the class.
    topic: ClassVar[str]
    # Raise it for a change that an older consumer cannot read.
    version: ClassVar[int] = 1

    @property
    def subject(self) -> str:
        """The CloudEvents subject: the id of the process that this belongs to."""
        raise NotImplementedError(f"{type(self).__name__} does not say which process it is of")


class Event(Message):
    """Something that happened. Its publisher owns it, and does not know who listens."""


class Command(Message):
    """Something one participant is asked to do. The participant owns it, and always answers.

    Its class names the replies: `done`, and `refused` if the participant may refuse.
    """

    done: ClassVar[type[Event]]
    refused: ClassVar[type[Event] | None] = None
