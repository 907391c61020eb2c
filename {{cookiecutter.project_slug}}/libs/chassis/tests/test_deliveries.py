import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fastapi import Request

from chassis.deliveries import LARGE_SECONDS, PIECE, SUCCESS, Intake
from chassis.errors import Rejected
from chassis.pieces import MAX_REST, MAX_STRING, Pieces
from chassis.settings import MAX_MESSAGE


def bulk(*raws: bytes) -> bytes:
    """As daprd 1.18 writes it: the entries come first."""
    entries = [
        {
            "entryId": str(n),
            "event": b64encode(raw).decode(),
            "metadata": {"rawPayload": "true", 'a\\"b': "[{"},
            "contentType": "application/octet-stream",
        }
        for n, raw in enumerate(raws)
    ]
    envelope = {"entries": entries, "id": "1", "metadata": {"pubsubName": "pubsub"}, "topic": "t"}
    return json.dumps(envelope, separators=(",", ":")).encode()


def single(raw: bytes) -> bytes:
    data = b64encode(raw).decode()
    return json.dumps({"data_base64": data, "id": "1", "type": "com.dapr.event.sent"}).encode()


class Handler:
    """Answers each message by what is in it, and remembers how they came together."""

    def __init__(self) -> None:
        self.together: list[list[bytes]] = []

    async def answer(self, messages: Sequence[bytes]) -> list[str]:
        self.together.append([raw[:1] for raw in messages])
        await asyncio.sleep(0)
        return ["RETRY" if raw.startswith(b"retry") else SUCCESS for raw in messages]


@pytest.fixture
def handler() -> Handler:
    return Handler()


async def take(
    body: bytes, handler: Handler, chunk: int = 65_536, large_seconds: float = LARGE_SECONDS
) -> Any:
    chunks = iter([body[at : at + chunk] for at in range(0, len(body), chunk)])

    async def receive() -> dict[str, Any]:
        part = next(chunks, b"")
        return {"type": "http.request", "body": part, "more_body": bool(part)}

    scope = {"type": "http", "headers": [(b"content-length", b"%d" % len(body))]}
    return await Intake(large_seconds=large_seconds).take(Request(scope, receive), handler.answer)


def answers(taken: Any) -> list[str]:
    assert [each["entryId"] for each in taken["statuses"]] == [
        str(n) for n in range(len(taken["statuses"]))
    ]
    return [each["status"] for each in taken["statuses"]]


async def test_a_small_bulk_is_handled_together(handler: Handler) -> None:
    taken = await take(bulk(b"a", b"retry", b"b"), handler)
    assert answers(taken) == [SUCCESS, "RETRY", SUCCESS]
    assert handler.together == [[b"a", b"r", b"b"]]


async def test_of_a_large_bulk_as_much_is_handled_together_as_may_be_held(
    handler: Handler,
) -> None:
    raws = [b"%d" % (n % 10) + b"x" * 300_000 for n in range(10)]
    taken = await take(bulk(*raws, b"retry"), handler)
    assert answers(taken) == [SUCCESS] * 10 + ["RETRY"]
    assert handler.together == [
        [b"0", b"1", b"2"],
        [b"3", b"4", b"5"],
        [b"6", b"7", b"8"],
        [b"9", b"r"],
    ]


@pytest.mark.parametrize("chunk", [1, 7, 1_000, 10_000_000])
def test_a_bulk_comes_apart_however_it_is_cut_on_its_way(chunk: int) -> None:
    body = bulk(b"", b"first", b'"\\', b"x" * 500)
    pieces = Pieces()
    found = [
        json.loads(entry)
        for at in range(0, len(body), chunk)
        for entry in pieces.feed(body[at : at + chunk])
    ]
    assert found == json.loads(body)["entries"]


async def test_a_message_that_is_too_large_is_cut_and_the_others_are_whole(
    handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    async def answer(messages: Sequence[bytes]) -> list[str]:
        seen.extend(messages)
        return [SUCCESS] * len(messages)

    monkeypatch.setattr(handler, "answer", answer)
    raws = [b"a" * 500_000, b"b" * (5 * MAX_MESSAGE), b"c" * MAX_MESSAGE]
    assert answers(await take(bulk(*raws), handler)) == [SUCCESS] * 3
    assert [len(raw) for raw in seen] == [500_000, MAX_STRING // 4 * 3, MAX_MESSAGE]
    assert len(seen[1]) > MAX_MESSAGE
    seen.clear()
    assert await take(single(raws[1]), handler) == {"status": SUCCESS}
    assert seen == [b"b" * (MAX_STRING // 4 * 3)]


async def test_what_is_read_of_a_large_bulk_is_never_more_than_its_largest_message() -> None:
    pieces, most = Pieces(), 0
    for chunk in a_hundred_megabytes():
        for entry in pieces.feed(chunk):
            most = max(most, len(entry))
        assert len(pieces.rest) + len(pieces._entry) < MAX_STRING + 2 * MAX_REST
    assert most < MAX_STRING + MAX_REST


def a_hundred_megabytes() -> Iterator[bytes]:
    yield b'{"entries":['
    for n in range(10):
        yield b'%s{"entryId":"%d","event":"' % (b"," if n else b"", n)
        for _ in range(100):
            yield b"QUJD" * 25_000
        yield b'"}'
    yield b"]}"


async def test_what_a_large_delivery_has_no_time_for_comes_again(
    handler: Handler,
) -> None:
    taken = await take(bulk(*[b"x" * PIECE] * 3), handler, large_seconds=-1)
    assert answers(taken) == ["RETRY"] * 3
    assert handler.together == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"no": "delivery"}',
        b'{"entries": [{"event": "x"}]}',
        b"x" * (PIECE + 1),
        b"[" * (PIECE + 1),
        b"[{" * (5 * PIECE),
        b'{"entries": [' + b'{"no": "id"},' * PIECE,
        b'{"no": "delivery", "x": "' + b"x" * 2 * MAX_STRING + b'"}',
    ],
    ids=lambda body: f"{body[:20]!r}*{len(body)}",
)
async def test_what_no_sidecar_sends_is_refused(handler: Handler, body: bytes) -> None:
    with pytest.raises(Rejected, match="not a delivery of messages") as refused:
        await take(body, handler)
    assert len(str(refused.value)) < 1_000


async def test_an_empty_bulk_has_no_answers(handler: Handler) -> None:
    assert await take(bulk(), handler) == {"statuses": []}
