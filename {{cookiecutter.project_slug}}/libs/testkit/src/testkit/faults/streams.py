"""The broker's side of a fault: its Redis Streams, read and written past the sidecars.

A stream is a topic; a consumer group is a service that subscribes to it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from valkey.asyncio import Valkey

from chassis import derived_id
from workspace.stack import REDIS_PORT

#: Marks what this suite added; a sidecar reads `data` and `metadata` only.
COPY = b"faults-copy"
#: Above every id that the broker gives: a group that has "read" it gets nothing new.
NEVER = "18446744073709551615-0"

Entry = tuple[bytes, dict[bytes, bytes]]


@dataclass(frozen=True)
class Event:
    """A message as published, and the services that it goes to."""

    topic: str
    id: str
    subject: str
    services: tuple[str, ...]
    inbox_key: str
    source: str
    #: The topic of its class: a reply goes to that of its replies.
    kind: str
    #: As JSON.
    data: str


class Streams:
    def __init__(self) -> None:
        self._valkey = Valkey(port=REDIS_PORT, socket_timeout=5)

    async def close(self) -> None:
        await self._valkey.aclose()

    async def topics(self) -> list[str]:
        return sorted([key.decode() async for key in self._valkey.scan_iter(_type="STREAM")])

    async def groups(self, topic: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._valkey.xinfo_groups(topic)
        return found

    async def unread(self) -> dict[str, int]:
        """By topic and service: messages that are not acknowledged yet. Empty once all are."""
        left: dict[str, int] = {}
        for topic in await self.topics():
            newest = await self._newest(topic)
            for group in await self.groups(topic):
                behind = _id(group["last-delivered-id"]) < _id(newest)
                waiting = int(group["pending"]) + int(behind)
                if waiting:
                    left[f"{topic} to {group['name'].decode()}"] = waiting
        return left

    async def events(self, subjects: frozenset[str]) -> list[Event]:
        """All that was ever published about them; copies of this suite are the same event."""
        found: dict[Event, None] = {}
        for topic in await self.topics():
            services = tuple(group["name"].decode() for group in await self.groups(topic))
            for _, fields in await self._valkey.xrange(topic):
                event = _json(fields[b"data"])
                if event.get("subject") in subjects and not topic.endswith("-dead-letters"):
                    key = f"inbox:{derived_id(event['source'], event['id'])}"
                    about = event["id"], event["subject"], services, key, event["source"]
                    kind = event["type"].rpartition(".v")[0]
                    data = json.dumps(event.get("data"), sort_keys=True)
                    found[Event(topic, *about, kind, data)] = None
        return list(found)

    async def add(self, topic: str, data: bytes) -> None:
        """Any bytes, as a message of this topic."""
        await self._valkey.xadd(topic, {b"data": data, COPY: b"1"})

    @asynccontextmanager
    async def copying(self, random: Random) -> AsyncIterator[list[int]]:
        """Every message is delivered two to five times, some copies late. Yields the counts."""
        copies: list[int] = []
        ends = {topic: await self._newest(topic) for topic in await self.topics()}
        # Not cancelled: the client forgets a cancellation while it waits for the broker.
        enough = asyncio.Event()
        task = asyncio.create_task(self._copy(ends, random, copies, enough))
        try:
            yield copies
        finally:
            enough.set()
            await task

    async def shuffle(self, topic: str, seconds: float, random: Random) -> int:
        """Hold a topic back for so long, then deliver what came meanwhile in another order."""
        groups = await self.groups(topic)
        for group in groups:
            await self._valkey.xgroup_setid(topic, group["name"], NEVER)
        try:
            await asyncio.sleep(seconds)
        finally:
            moved = await self._let_go(topic, groups, random)
        return moved

    async def _let_go(self, topic: str, groups: list[dict[str, Any]], random: Random) -> int:
        first = min((_id(group["last-delivered-id"]) for group in groups), default=(0, 0))
        held = await self._valkey.xrange(topic, f"({first[0]}-{first[1]}", "+")
        # What one of the groups had read already stays where it is.
        common = max((_id(group["last-delivered-id"]) for group in groups), default=(0, 0))
        held = [(id, fields) for id, fields in held if _id(id) > common]
        random.shuffle(held)
        async with self._valkey.pipeline(transaction=True) as step:
            if held:
                step.xdel(topic, *(id for id, _ in held))
            for group in groups:
                step.xgroup_setid(topic, group["name"], group["last-delivered-id"])
            for _, fields in held:
                step.xadd(topic, fields)
            await step.execute()
        return len(held)

    async def _copy(
        self, ends: dict[str, bytes], random: Random, copies: list[int], enough: asyncio.Event
    ) -> None:
        known: set[bytes] = set()
        async with asyncio.TaskGroup() as late:
            while not enough.is_set():
                for topic, entries in await self._valkey.xread(ends, block=100) or ():
                    for id, fields in entries:
                        ends[topic.decode()] = id
                        event = fields[b"data"]
                        if COPY in fields or event in known:
                            # A copy, or sent again because of one: copying it would never end.
                            continue
                        known.add(event)
                        copies.append(random.randint(1, 4))
                        for _ in range(copies[-1]):
                            pause = random.choice((0, 0, 0.5, 2))
                            late.create_task(self._add(topic, fields, pause))

    async def _add(self, topic: bytes, fields: Mapping[bytes, bytes], pause: float) -> None:
        await asyncio.sleep(pause)
        await self._valkey.xadd(topic, {**fields, COPY: b"1"})

    async def _newest(self, topic: str) -> bytes:
        newest: list[Entry] = await self._valkey.xrevrange(topic, count=1)
        return newest[0][0] if newest else b"0-0"


def _json(data: bytes) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError:  # a poison
        return {}
    return event if isinstance(event, dict) else {}


def _id(text: bytes) -> tuple[int, int]:
    milliseconds, sequence = text.decode().split("-")
    return int(milliseconds), int(sequence)
