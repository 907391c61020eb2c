"""One dead letter: the message byte for byte, and why it is here."""

from base64 import b64decode, b64encode
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json, to_json

from chassis.cloudevents import Attributes, CloudEvent, derived_id, read_attributes, read_event
from chassis.errors import Rejected, Unavailable
from chassis.settings import MAX_MESSAGE
from chassis.text import cut

#: Bytes of a message larger than `MAX_MESSAGE`, to look at: no service takes it again.
MAX_HEAD = 64 * 1024
#: Of what a list shows: with these, a summary has at most 1.5 kB.
MAX_NAME, MAX_SHORT_CAUSE = 255, 300

#: Why it is here: it can never succeed; it failed for an unknown reason, or for one that should
#: pass, for as long as it was tried; or it is still being tried.
Kind = Literal["permanent", "unknown", "exhausted", "retrying"]

UNKNOWN_CAUSE = "the delivery failed until the retry policy gave up"


def letter_id(raw: bytes) -> UUID:
    """The same message has the same id, however often and by whatever way it arrives."""
    return UUID(derived_id("dead-letter", sha256(raw).hexdigest()))


def cause_of(error: Exception) -> str:
    """Our own errors say what happened; of another one its type is half of the cause."""
    ours = isinstance(error, (Rejected, Unavailable)) and str(error)
    return cut(str(error) if ours else f"{type(error).__name__}: {error}")


class Summary(BaseModel):
    """What a list shows of a letter."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    topic: str | None = Field(description="Where the message was published; null if unknown.")
    event_id: str | None = Field(description="Null if the message is not a CloudEvent.")
    type: str | None
    subject: str | None
    kind: Kind = "unknown"
    cause: str
    attempts: int = Field(description="Deliveries that failed here, as far as they are known.")
    arrived_at: datetime


class DeadLetter(Summary):
    """The letter itself."""

    page: int = -1
    payload: str
    encoding: Literal["utf-8", "base64"]
    #: Bytes of the message as it came; more than is kept if the payload had to be cut.
    size: int
    #: Processes in a row that went on with it and ended before an attempt did.
    adoptions: int = 0

    @classmethod
    def of(
        cls,
        raw: bytes,
        *,
        topic: str | None,
        kind: Kind,
        cause: str,
        attempts: int,
        arrived_at: datetime,
    ) -> Self:
        """A letter for any bytes whatsoever."""
        whole = len(raw) <= MAX_MESSAGE
        payload, encoding = _text(raw if whole else raw[:MAX_HEAD])
        try:
            said = read_attributes(raw) if whole else None
        except Rejected:
            said = None
        return cls(
            id=letter_id(raw),
            topic=topic,
            event_id=said and said.id,
            type=said and cut(said.type, MAX_NAME),
            subject=said and cut(said.subject, MAX_NAME),
            kind=kind,
            cause=cut(cause),
            attempts=attempts,
            arrived_at=arrived_at,
            payload=payload,
            encoding=encoding,
            size=len(raw),
        )

    @property
    def raw(self) -> bytes:
        return b64decode(self.payload) if self.encoding == "base64" else self.payload.encode()

    @property
    def event(self) -> CloudEvent:
        """Raises `Rejected` when the message cannot be read."""
        if self.size > MAX_MESSAGE:
            raise Rejected(f"it is larger than {MAX_MESSAGE} bytes, so only its head was kept")
        return read_event(self.raw)

    @property
    def attributes(self) -> Attributes:
        """Raises `Rejected` when they cannot be read."""
        return read_attributes(self.raw)

    @property
    def content(self) -> tuple[Any, Literal["utf-8", "base64"]]:
        """The payload to look at: as JSON or text if it is that and short, else as it is kept."""
        if self.size > MAX_HEAD:
            return self.payload, self.encoding
        try:
            text = self.raw.decode()
        except UnicodeDecodeError:
            return self.payload, "base64"
        try:
            return from_json(text, allow_inf_nan=False), "utf-8"
        except ValueError:
            return text, "utf-8"

    @property
    def summary(self) -> Summary:
        short = cut(self.cause, MAX_SHORT_CAUSE)
        return Summary(**self.model_dump(include=set(Summary.model_fields)) | {"cause": short})


def _text(raw: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    """As text, unless base64 is shorter: JSON takes six bytes for a control character."""
    in_base64 = b64encode(raw).decode()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return in_base64, "base64"
    return (text, "utf-8") if len(to_json(text)) <= len(in_base64) + 2 else (in_base64, "base64")
