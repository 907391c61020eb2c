"""A bulk of messages as a sidecar delivers it, and the verdicts that it wants back."""

import binascii
import json
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from chassis.errors import Rejected

MAX_MESSAGES = 100
MAX_AWAIT_MS = 5
# A sidecar takes messages of 4 MiB, and base64 makes four bytes of three. A delivery that was
# refused for its size would come again and again.
MAX_BYTES = MAX_MESSAGES * 6 * 1024 * 1024

#: The part of a subscription that asks for bulks.
ASKED_FOR = {
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

    @classmethod
    def read(cls, body: bytes) -> "Bulk":
        """Raises `Rejected`; no sidecar sends such a thing."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise Rejected(f"not a bulk of messages: {error}") from error

    def answer(self, verdicts: Sequence[str]) -> dict[str, Any]:
        return {
            "statuses": [
                {"entryId": entry.entryId, "status": verdict}
                for entry, verdict in zip(self.entries, verdicts, strict=True)
            ]
        }
