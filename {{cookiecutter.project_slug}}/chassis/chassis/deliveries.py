"""Messages as a sidecar delivers them, in bulk or one by one, and the verdicts it wants back."""

import binascii
import json
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from chassis.errors import Rejected

MAX_MESSAGES = 100
MAX_AWAIT_MS = 5
# A sidecar takes messages of 4 MiB, and base64 makes four bytes of three. A delivery that was
# refused for its size would come again and again.
MAX_BYTES = MAX_MESSAGES * 6 * 1024 * 1024

#: The part of a subscription that asks for bulks.
BULKS = {
    "enabled": True,
    "maxMessagesCount": MAX_MESSAGES,
    "maxAwaitDurationMs": MAX_AWAIT_MS,
}

# The sidecar's answers: done; try again under the retry policy.
SUCCESS, RETRY = "SUCCESS", "RETRY"


class Entry(BaseModel):
    entryId: str
    event: Any = None

    @property
    def raw(self) -> bytes:
        """The message as published: a raw subscription gets it in base64, others as JSON."""
        try:
            return b64decode(self.event, validate=True)
        except (binascii.Error, TypeError, ValueError):
            return json.dumps(self.event, separators=(",", ":")).encode()


class Bulk(BaseModel):
    entries: tuple[Entry, ...]

    @property
    def messages(self) -> list[bytes]:
        return [entry.raw for entry in self.entries]

    def answer(self, verdicts: Sequence[str]) -> dict[str, Any]:
        return {
            "statuses": [
                {"entryId": entry.entryId, "status": verdict}
                for entry, verdict in zip(self.entries, verdicts, strict=True)
            ]
        }


class Single(BaseModel):
    """The envelope that the sidecar makes for the bytes of one message."""

    data_base64: str

    @property
    def messages(self) -> list[bytes]:
        return [b64decode(self.data_base64)]

    def answer(self, verdicts: Sequence[str]) -> dict[str, Any]:
        (verdict,) = verdicts
        return {"status": verdict}


_DELIVERIES: TypeAdapter[Bulk | Single] = TypeAdapter(Bulk | Single)


def read(body: bytes) -> Bulk | Single:
    """Whichever it is: a sidecar that started under another setting delivers as it was asked then.

    Raises `Rejected`; no sidecar sends such a thing.
    """
    try:
        return _DELIVERIES.validate_json(body)
    except ValidationError as error:
        raise Rejected(f"not a delivery of messages: {error}") from error
