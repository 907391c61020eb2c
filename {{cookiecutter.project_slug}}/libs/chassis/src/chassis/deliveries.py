"""Messages as a sidecar delivers them, in bulk or one by one, and the answers it wants back.

A delivery that was refused for its size would come again and again, so each is taken, and a large
one is read and handled in pieces: never more of it is held than its largest message.
"""

import asyncio
import binascii
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ValidationError

from chassis.bodies import BODY_SECONDS, in_time
from chassis.budget import ByteBudget
from chassis.errors import Rejected
from chassis.pieces import Pieces
from chassis.text import why_invalid
from chassis.transaction import adapter

MAX_MESSAGES = 100
MAX_AWAIT_MS = 5
#: Of one delivery: a hundred of the largest values that Redis holds, in base64.
MAX_BYTES = MAX_MESSAGES * 512 * 1024 * 1024 * 4 // 3
#: Up to this size a delivery is read as a whole, and a larger one is handled in such pieces.
PIECE = 1024 * 1024
#: Of the deliveries that are held as a whole.
MAX_HELD = 3 * PIECE
#: Until the messages of a large delivery must have been begun; the rest of them comes again.
LARGE_SECONDS = 20.0
#: Until it must be here in full; it is not read while its messages are handled.
READ_SECONDS = 3 * LARGE_SECONDS

#: The part of a subscription that asks for bulks.
BULKS = {
    "enabled": True,
    "maxMessagesCount": MAX_MESSAGES,
    "maxAwaitDurationMs": MAX_AWAIT_MS,
}

#: The answer to each message.
Answer = Callable[[Sequence[bytes]], Awaitable[list[str]]]

# The sidecar's answers: done; try again under the retry policy.
SUCCESS, RETRY = "SUCCESS", "RETRY"


class Entry(BaseModel):
    entryId: str
    event: Any = None


class Bulk(BaseModel):
    entries: tuple[Entry, ...]

    @property
    def messages(self) -> list[bytes]:
        return [_bytes_of(entry.event) for entry in self.entries]

    def answer(self, statuses: Sequence[str]) -> dict[str, Any]:
        return {
            "statuses": [
                {"entryId": entry.entryId, "status": status}
                for entry, status in zip(self.entries, statuses, strict=True)
            ]
        }


class Single(BaseModel):
    """The envelope that the sidecar makes for the bytes of one message."""

    data_base64: str

    @property
    def messages(self) -> list[bytes]:
        return [_bytes_of(self.data_base64)]

    def answer(self, statuses: Sequence[str]) -> dict[str, Any]:
        (status,) = statuses
        return {"status": status}


class Intake:
    """Reads deliveries, has their messages answered, and answers them."""

    def __init__(self, *, large_seconds: float = LARGE_SECONDS) -> None:
        self._large_seconds = large_seconds
        self._held = ByteBudget(MAX_HELD)
        self._large = ByteBudget(1)

    async def take(self, request: Request, answer: Answer) -> dict[str, Any]:
        """Raises `Rejected` for what no sidecar sends, `Unavailable` while there is no room."""
        size = int(request.headers.get("content-length", MAX_BYTES))
        if size > PIECE:
            # One at a time: what is read of it is not counted.
            async with self._large.hold(1, READ_SECONDS):
                return await self._in_pieces(request, answer)
        async with self._held.hold(size):
            receive = in_time(request.receive, BODY_SECONDS)
            arrived = read(await Request(request.scope, receive).body())
            return arrived.answer(await answer(arrived.messages))

    async def _in_pieces(self, request: Request, answer: Answer) -> dict[str, Any]:
        now = asyncio.get_running_loop().time
        deadline = now() + self._large_seconds
        statuses: list[Any] = []
        piece: list[Entry] = []

        async def answer_piece() -> None:
            bulk = Bulk(entries=tuple(piece))
            late = now() > deadline
            answers = [RETRY] * len(piece) if late else await answer(bulk.messages)
            statuses.extend(bulk.answer(answers)["statuses"])
            piece.clear()

        pieces, size = Pieces(), 0
        receive = in_time(request.receive, READ_SECONDS)
        async for chunk in Request(request.scope, receive).stream():
            for entry in pieces.feed(chunk):
                piece.append(_validated(Entry, entry))
                size += len(entry)
                if size >= PIECE:
                    # Meanwhile nothing is read, so the sidecar has to wait.
                    await answer_piece()
                    size = 0
        if piece or statuses:
            await answer_piece()
            return {"statuses": statuses}
        arrived = read(bytes(pieces.rest))
        return arrived.answer(await answer(arrived.messages))


def read(body: bytes) -> Bulk | Single:
    """Whichever it is: a sidecar that started under another setting delivers as it was asked then.

    Raises `Rejected`; no sidecar sends such a thing.
    """
    arrived: Bulk | Single = _validated(Bulk | Single, body)
    return arrived


def _validated(kind: Any, text: bytes) -> Any:
    try:
        return adapter(kind).validate_json(text)
    except ValidationError as error:
        raise Rejected(f"not a delivery of messages: {why_invalid(error)}") from error


def _bytes_of(event: Any) -> bytes:
    """The message as published: a raw subscription gets it in base64, others as JSON."""
    try:
        return b64decode(event, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return json.dumps(event, separators=(",", ":")).encode()
