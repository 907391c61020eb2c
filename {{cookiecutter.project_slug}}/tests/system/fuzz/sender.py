"""Sends shots as clients and a sidecar do, and looks at each answer."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from yarl import URL

from tests.system.fuzz.process import Running
from tests.system.fuzz.shots import Message, Shot

#: Bytes of an answer.
MAX_ANSWER = 64 * 1024
#: Until a service must have acknowledged each message of a delivery, overload included.
TAKEN_SECONDS = 120.0
#: Attempts of one request, each on a connection of its own.
MAX_CLOSED = 5
OVERLOADED = "try again: too much is being handled"


class Wrong(AssertionError):
    """An answer that no service may give."""


class Sender:
    """Use `connected`."""

    def __init__(self, target: Running, seed: int, http: aiohttp.ClientSession) -> None:
        self._target = target
        self._seed = seed
        self._http = http
        #: What the service has acknowledged.
        self.taken: list[Message] = []

    async def send(self, shot: Shot) -> None:
        """Raises `Wrong`, which says what makes the shot again."""
        try:
            if shot.messages:
                await self._deliver(shot)
            else:
                await self.answer(shot.method, shot.path, shot.headers, shot.body)
        except Exception as error:
            raise Wrong(
                f"shot {shot.number} of seed {self._seed}, {shot.method} {shot.path[:200]}: "
                f"{error!r}\n{self._target.tail()}"
            ) from error

    async def answer(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, Any]:
        """Status and JSON, if it is that. Raises `Wrong`."""
        url = URL(self._target.url + path, encoded=True)
        headers = {**(headers or {}), **self._target.headers}
        for _ in range(MAX_CLOSED):
            # A server may close a connection just as a request sets out, or answer and close
            # before it has read a large one.
            with suppress(aiohttp.ClientConnectionError):
                return await self._answer(method, url, headers, body)
        raise Wrong(f"the connection was closed {MAX_CLOSED} times")

    async def _answer(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Any]:
        async with self._http.request(method, url, headers=headers, data=body or None) as response:
            said = bytearray()
            async for part in response.content.iter_any():
                said += part
                if len(said) > MAX_ANSWER:
                    raise Wrong(f"{response.status} with more than {MAX_ANSWER} bytes")
        is_json = "json" in response.headers.get("content-type", "")
        content = json.loads(said) if is_json and said else None
        if response.status >= 500 and not _is_overloaded(response.status, content):
            raise Wrong(f"{response.status}: {said[:500].decode(errors='replace')}")
        return response.status, content

    async def _deliver(self, shot: Shot) -> None:
        """Again and again what is not acknowledged, as a sidecar does."""
        waiting = list(shot.messages)
        async with asyncio.timeout(TAKEN_SECONDS):
            while waiting:
                write = _bulk if shot.is_bulk else _single
                status, said = await self.answer(
                    shot.method, shot.path, {"content-type": "application/json"}, write(waiting)
                )
                answers = _answers(said, len(waiting)) if status == 200 else None
                if answers is None:
                    if status != 503:
                        raise Wrong(f"{status}: {said}")
                    answers = ["RETRY"] * len(waiting)
                for message, each in zip(waiting, answers, strict=True):
                    if each == "SUCCESS":
                        self.taken.append(message)
                waiting = [
                    message
                    for message, each in zip(waiting, answers, strict=True)
                    if each != "SUCCESS"
                ]
                if waiting:
                    await asyncio.sleep(0.5)


@asynccontextmanager
async def connected(target: Running, seed: int = 0) -> AsyncIterator[Sender]:
    timeout = aiohttp.ClientTimeout(total=TAKEN_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        yield Sender(target, seed, http)


def _is_overloaded(status: int, content: Any) -> bool:
    return status == 503 and str((content or {}).get("detail")).startswith(OVERLOADED)


def _bulk(messages: Sequence[Message]) -> bytes:
    """As daprd 1.18 writes it."""
    entries = [
        {
            "entryId": str(position),
            "event": b64encode(message.raw).decode(),
            "metadata": {"rawPayload": "true"},
            "contentType": "application/octet-stream",
        }
        for position, message in enumerate(messages)
    ]
    return json.dumps({"entries": entries, "id": "1", "metadata": {}}).encode()


def _single(messages: Sequence[Message]) -> bytes:
    (message,) = messages
    data = b64encode(message.raw).decode()
    return json.dumps({"data_base64": data, "id": "1", "specversion": "1.0"}).encode()


def _answers(said: Any, count: int) -> list[str]:
    if "status" in said:
        return [str(said["status"])]
    by_entry = {each["entryId"]: str(each["status"]) for each in said["statuses"]}
    return [by_entry[str(position)] for position in range(count)]
