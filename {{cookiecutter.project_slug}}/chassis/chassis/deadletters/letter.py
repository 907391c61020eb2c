"""One dead letter: the message byte for byte, and why it is here."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from chassis.cloudevents import CloudEvent, derived_id
from chassis.errors import Rejected, Unavailable

#: Bytes. A sidecar takes 4 MiB in one call, and JSON may need two bytes for one.
MAX_PAYLOAD = 1_500_000
MAX_CAUSE = 2_000

#: Why it is here: it can never succeed; it failed for an unknown reason, or for one that should
#: pass, for as long as it was tried; or it is still being tried.
Kind = Literal["permanent", "unknown", "exhausted", "retrying"]

UNKNOWN_CAUSE = "the delivery failed until the retry policy gave up"


def letter_id(raw: bytes) -> UUID:
    """The same message has the same id, however often and by whatever way it arrives."""
    return UUID(derived_id("dead-letter", sha256(raw).hexdigest()))


def read_event(raw: bytes) -> CloudEvent:
    """Raises `Rejected` when the bytes are not a CloudEvent."""
    try:
        return CloudEvent.model_validate_json(raw)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc']))} {each['msg']}" for each in error.errors()]
        raise Rejected(f"not a CloudEvent: {'; '.join(wrong).strip()}") from error


def cause_of(error: Exception) -> str:
    """Our own errors say what happened; of another one its type is half of the cause."""
    ours = isinstance(error, (Rejected, Unavailable)) and str(error)
    return str(error) if ours else f"{type(error).__name__}: {error}"


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

    @classmethod
    def of(cls, raw: bytes, *, topic: str | None, kind: Kind, cause: str, attempts: int) -> Self:
        """A letter for any bytes whatsoever, arrived now."""
        try:
            event = read_event(raw)
        except Rejected:
            event = None
        payload, encoding = _text(raw[:MAX_PAYLOAD])
        return cls(
            id=letter_id(raw),
            topic=topic,
            event_id=event and event.id,
            type=event and event.type,
            subject=event and event.subject,
            kind=kind,
            cause=cause[:MAX_CAUSE],
            attempts=attempts,
            arrived_at=datetime.now(UTC),
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
        if self.size > MAX_PAYLOAD:
            raise Rejected(f"of its {self.size} bytes only {MAX_PAYLOAD} could be kept")
        return read_event(self.raw)

    @property
    def content(self) -> Any:
        """The payload to look at: as JSON if it is JSON, else as text."""
        try:
            return from_json(self.payload, allow_inf_nan=False)
        except ValueError:
            return self.payload

    @property
    def summary(self) -> Summary:
        short = self.cause if len(self.cause) <= 300 else f"{self.cause[:299]}…"
        return Summary(**self.model_dump(include=set(Summary.model_fields)) | {"cause": short})


def _text(raw: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    try:
        return raw.decode(), "utf-8"
    except UnicodeDecodeError:
        return b64encode(raw).decode(), "base64"
