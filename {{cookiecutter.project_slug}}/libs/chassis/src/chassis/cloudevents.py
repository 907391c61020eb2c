"""The envelope of every event, command and reply: CloudEvents 1.0, structured JSON."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from chassis.errors import Rejected
from chassis.messages import Message, type_of
from chassis.text import why_invalid

CONTENT_TYPE = "application/cloudevents+json"
#: Characters of a `traceparent`: twice as many as today's. It goes on with each outcome.
MAX_TRACEPARENT = 110


def _usable(traceparent: str | None) -> str | None:
    """A trace that cannot be continued is no reason to refuse a message."""
    return traceparent if traceparent and len(traceparent) <= MAX_TRACEPARENT else None


def _or_empty(subject: Any) -> Any:
    return "" if subject is None else subject


def _or_json(content_type: Any) -> Any:
    return "application/json" if content_type is None else content_type


def _or_now(time: Any) -> Any:
    return _now() if time is None else time


def _now() -> datetime:
    """A message that does not say when it was made was made before it came."""
    return datetime.now(UTC)


class Attributes(BaseModel):
    """What CloudEvents says about a message: all but its data.

    Extensions: `traceparent` (W3C); `replyto`, the topic that a reply goes to; `causationid`, the
    id of the message that led to this one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: str = Field(default="1.0", max_length=16)
    # Printable, and without the `|` that Dapr keeps for itself: the id becomes part of a state key.
    id: str = Field(pattern=r"^[!-{}~]{1,255}$")
    source: str = Field(min_length=1, max_length=255)
    type: str = Field(min_length=1, max_length=255)
    # Both are optional, and null stands for absent: so CloudEvents says of JSON.
    subject: Annotated[str, BeforeValidator(_or_empty)] = Field(default="", max_length=255)
    time: Annotated[AwareDatetime, BeforeValidator(_or_now)] = Field(default_factory=_now)
    datacontenttype: Annotated[str, BeforeValidator(_or_json)] = Field(
        default="application/json", max_length=255
    )
    traceparent: Annotated[str | None, AfterValidator(_usable)] = None
    replyto: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,80}$")
    causationid: str | None = Field(default=None, max_length=255)


class CloudEvent(Attributes):
    """One message on its way."""

    data: dict[str, Any]

    def on_the_wire(self) -> bytes:
        """JSON without the extensions that it does not have."""
        return self.model_dump_json(exclude_none=True).encode()


A = TypeVar("A", bound=Attributes)


def envelope(
    message: Message,
    *,
    id: str,
    source: str,
    traceparent: str | None,
    replyto: str | None = None,
    causationid: str | None = None,
    time: datetime | None = None,
    exclude_unset: bool = False,
) -> CloudEvent:
    """Wrap a message that this service sends, by default now.

    `exclude_unset`: without the defaults of its class, which may be others in the next release.
    """
    return CloudEvent(
        id=id,
        source=source,
        type=type_of(type(message)),
        subject=message.subject,
        time=time or datetime.now(UTC),
        traceparent=traceparent,
        replyto=replyto,
        causationid=causationid,
        # A command may be made of what an older release has recorded: see `Saga.make`.
        data=message.model_dump(mode="json", exclude_unset=exclude_unset, warnings=False),
    )


def read_event(raw: bytes) -> CloudEvent:
    """Raises `Rejected` when the bytes are not a CloudEvent."""
    return _read(CloudEvent, raw)


def read_attributes(raw: bytes) -> Attributes:
    """The same without the data, which would be up to forty times as large in memory."""
    return _read(Attributes, raw)


def _read(kind: type[A], raw: bytes) -> A:
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise Rejected(f"not a CloudEvent: {why_invalid(error)}") from error


def derived_id(*parts: str) -> str:
    """The same id for the same parts, on every machine and in every retry.

    Idempotency rests on this: what is sent again carries the id it had before.
    """
    return str(uuid5(_NAMESPACE, "\x1f".join(parts)))


_NAMESPACE: UUID = uuid5(NAMESPACE_URL, "urn:dapr-styles:derived-id")
