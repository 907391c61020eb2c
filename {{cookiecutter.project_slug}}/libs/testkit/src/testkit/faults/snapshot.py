"""The evidence of one load: what stores and broker hold of its processes."""

import asyncio
import json
import sqlite3
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.cloudevents import CloudEvent
from chassis.messages import name_of, topic_of
from chassis.saga import Progress, Saga
from chassis.saga.records import record_key
from chassis.transaction import adapter
from testkit.faults.scene import Scene
from testkit.faults.streams import Event
from testkit.live import letters, records
from testkit.sagas import Evidence, Message, Outcome, Process, Sent
from workspace.daprfile import ROOT


@dataclass(frozen=True)
class Stored:
    """What the stores hold of some processes."""

    progress: Mapping[str, Progress]
    #: By process, in the order of time.
    outcomes: Mapping[str, Sequence[Outcome]]
    #: The keys of each service's inbox.
    inboxes: Mapping[str, frozenset[str]]


async def take(scene: Scene) -> Evidence:
    """Of all processes that were accepted."""
    saga, ids = scene.declared.saga, frozenset(scene.load.ids.values())
    events = await scene.streams.events(ids)
    stored = await asyncio.to_thread(
        _stored, saga, scene.declared.initiator, list(scene.parts.file.apps), ids
    )
    processes = {id: _process(saga, id, stored, events) for id in ids}
    published = [(service, event) for event in events for service in event.services]
    kept = [each async for each in letters.each(scene.parts.file.apps)]
    return Evidence(
        deadline=records.DEADLINE_SECONDS,
        in_order=records.in_order(scene.declared, processes),
        processes=processes,
        sent=tuple(
            Sent(each.source, each.id, each.kind, each.subject, json.loads(each.data))
            for each in events
        ),
        published=frozenset(_message(service, event) for service, event in published),
        processed=frozenset(
            _message(service, event)
            for service, event in published
            if event.inbox_key in stored.inboxes[service]
        ),
        dead_letters=frozenset(
            Message(service, letter["topic"] or "", letter["event_id"] or "", letter["subject"])
            for service, letter in kept
            if letter["subject"] in ids
        ),
    )


def _message(service: str, event: Event) -> Message:
    return Message(service, event.topic, event.id, event.subject)


def _process(saga: Saga, id: str, stored: Stored, events: Sequence[Event]) -> Process:
    ends = {topic_of(end): name_of(end) for end in saga.ends}
    published = {
        event.id: ends[event.topic]
        for event in events
        if event.topic in ends and event.subject == id
    }
    return records.process(
        id, stored.progress.get(id), stored.outcomes.get(id, ()), list(published.values())
    )


def _stored(saga: Saga, initiator: str, services: Sequence[str], ids: frozenset[str]) -> Stored:
    names = {topic_of(reply): name_of(reply) for reply in saga.replies}
    progress: dict[str, Progress] = {}
    found: list[tuple[datetime, str, Outcome]] = []
    inboxes: dict[str, frozenset[str]] = {}
    for service in services:
        rows = dict(_rows(service, "inbox:"))
        inboxes[service] = frozenset(rows)
        for key, value in rows.items():
            for event in _outcomes(value):
                topic = event.type.rpartition(".v")[0]
                if event.subject in ids and topic in names:
                    outcome = Outcome(service, names[topic], key, event.data)
                    found.append((event.time, event.subject, outcome))
    keys = {record_key(saga, id): id for id in ids}
    for key, value in _rows(initiator, f"{record_key(saga, '')}"):
        if key in keys:
            progress[keys[key]] = adapter(Progress).validate_python(value)
    outcomes: dict[str, list[Outcome]] = {}
    for _, subject, outcome in sorted(found, key=lambda each: each[0]):
        outcomes.setdefault(subject, []).append(outcome)
    return Stored(progress, outcomes, inboxes)


def _outcomes(record: Any) -> Iterator[CloudEvent]:
    """What a message led to. A member in another language may record the events alone."""
    for each in record["outcomes"]:
        yield CloudEvent.model_validate(each.get("event", each))


def _rows(service: str, prefix: str) -> Iterator[tuple[str, Any]]:
    """Keys and values that begin so, as the service wrote them."""
    uri = f"file:{ROOT / 'data' / service}.db?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        rows = database.execute(
            "SELECT key, value, is_binary FROM state WHERE key LIKE ?", (f"%||{prefix}%",)
        ).fetchall()
    for key, value, is_binary in rows:
        text = b64decode(value) if is_binary else value
        yield str(key).partition("||")[2], json.loads(text)
