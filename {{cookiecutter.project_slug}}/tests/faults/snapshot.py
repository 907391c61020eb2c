"""The books of one load: those of the demo, and what only broker and inboxes can tell."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from tests.demo import books
from tests.demo.client import Client
from tests.demo.mix import Shelf
from tests.faults.load import GOODS, Load
from tests.faults.streams import Event, Streams
from tests.invariants import Books, Message
from workspace.daprfile import ROOT

ENDS = {"order-confirmed": "OrderConfirmed", "order-cancelled": "OrderCancelled"}


async def take(client: Client, streams: Streams, load: Load) -> Books:
    """What all services know of these orders. Raises `demo.client.Refused`."""
    views = {
        plan.key: view
        for plan in load.accepted_plans
        if (view := load.views.get(load.ids[plan.key]))
    }
    known = await books.read(client, load.run, load.accepted_plans, views)
    events = await streams.events(frozenset(load.ids.values()))
    shelf = Shelf(load.run)
    return replace(
        known,
        orders={id: replace(order, ends=_ends(events, id)) for id, order in known.orders.items()},
        goods={**dict.fromkeys(shelf.plenty, GOODS), shelf.empty: 0},
        published=frozenset(
            Message(service, event.topic, event.id, event.subject)
            for event in events
            for service in event.services
        ),
        processed=await asyncio.to_thread(_processed, events),
    )


def _ends(events: Sequence[Event], order_id: str) -> tuple[str, ...]:
    return tuple(
        ENDS[event.topic] for event in events if event.topic in ENDS and event.subject == order_id
    )


def _processed(events: Sequence[Event]) -> frozenset[Message]:
    """The messages that are in the inbox of the service that they went to."""
    found: set[Message] = set()
    for service in {service for event in events for service in event.services}:
        uri = f"file:{ROOT / 'data' / service}.db?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            rows = database.execute("SELECT key FROM state WHERE key LIKE '%||inbox:%'")
            inbox = {str(key).partition("||")[2] for (key,) in rows}
        found |= {
            Message(service, event.topic, event.id, event.subject)
            for event in events
            if service in event.services and event.inbox_key in inbox
        }
    return frozenset(found)
