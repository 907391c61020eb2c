"""Ten thousand hostile bodies and messages to each service, as its container runs it.

No 5xx but the 503 of overload, no answer above 64 kB, memory below the container's limit, alive
within a second, and every poison is a dead letter, once. SEED=7 SHOTS=20000 make fuzz
"""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from chassis import Service
from chassis.logs import MAX_LINE
from tests.system.fuzz.process import Running, memory_limit, running, watched
from tests.system.fuzz.sender import Sender, connected
from tests.system.fuzz.shots import Message, Range, Shot
from workspace import members

SEED = int(os.environ.get("SEED", "0"))
SHOTS = int(os.environ.get("SHOTS", "10000"))
#: Requests under way, those of clients and of the sidecar together.
AT_ONCE = 16
#: What a probe waits for an answer at most.
ALIVE_SECONDS = 1.0
#: Until everything that was acknowledged is handled or a dead letter.
SETTLED_SECONDS = 60

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux says how much memory a process had"
)


@pytest.fixture(scope="module", params=members.in_python())
def app_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def service(app_id: str) -> Service:
    """In this process, to look at: what it takes, and where."""
    return members.service(app_id)


@pytest.fixture
def target(app_id: str, tmp_path: Path) -> Iterator[Running]:
    with running(app_id, tmp_path) as target:
        yield target
        assert target.process.poll() is None, f"{app_id} has ended: {target.tail()}"
        assert target.most_memory < memory_limit()
        assert max(map(len, target.log.read_bytes().splitlines())) <= MAX_LINE


async def test_whatever_is_sent_a_service_stays_small_and_alive(
    service: Service, target: Running
) -> None:
    print(f"seed {SEED}")
    range_ = Range(service, SEED)
    shots = chain(range_.worst(), range_.shots(SHOTS))
    with watched(target) as alive:
        async with connected(target, SEED) as sender:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(AT_ONCE):
                    tasks.create_task(send_all(shots, sender))
            kept = await settled(sender)
    print(
        f"{len(kept)} letters; at most {target.most_memory >> 20} MiB of memory, and "
        f"{max(alive):.2f} s until it said that it is alive"
    )
    assert max(alive) < ALIVE_SECONDS
    must_be_kept_once(kept, sender.taken)


async def send_all(shots: Iterator[Shot], sender: Sender) -> None:
    for shot in shots:
        await sender.send(shot)


def must_be_kept_once(kept: list[dict[str, Any]], taken: list[Message]) -> None:
    ids = Counter(UUID(letter["id"]) for letter in kept)
    assert not [id for id, times in ids.items() if times > 1]
    poison = {message.letter: message.raw[:200] for message in taken if message.is_poison}
    assert [raw for id, raw in poison.items() if id not in ids] == []
    # Two good messages that have one id by chance.
    by_chance = [letter for letter in kept if UUID(letter["id"]) not in poison]
    assert all("was used before" in letter["cause"] for letter in by_chance), by_chance


async def settled(sender: Sender) -> list[dict[str, Any]]:
    """All letters, once nothing is tried again any more."""
    async with asyncio.timeout(SETTLED_SECONDS):
        while True:
            kept = await letters(sender)
            if all(letter["kind"] != "retrying" for letter in kept):
                return kept
            await asyncio.sleep(0.5)


async def letters(sender: Sender) -> list[dict[str, Any]]:
    found, page = [], 0
    while page is not None:
        _, listed = await sender.answer("GET", f"/dead-letters?page={page}")
        found += listed["letters"]
        page = listed["next_page"]
    return found


@pytest.mark.parametrize("part", [b"x: y\r\n", b"xyz"], ids=["many headers", "a long header"])
@pytest.mark.parametrize("name", members.in_python()[:1])
def test_headers_without_an_end_are_refused(part: bytes, name: str, tmp_path: Path) -> None:
    with running(name, tmp_path) as target:
        address = urlsplit(target.url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
            said = b""
            # It closes the connection, before or after its answer has arrived here.
            with suppress(ConnectionError):
                for _ in range(100):
                    client.sendall(part * 200_000)
            with suppress(ConnectionError):
                said = client.recv(12)
            assert said in (b"", b"HTTP/1.1 400")
        assert target.most_memory < memory_limit()
