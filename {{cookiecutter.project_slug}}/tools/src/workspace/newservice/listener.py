"""A listener: keeps a note of each event that it subscribes to."""

from collections.abc import Sequence
from string import Template

from chassis.messages import Message
from workspace.newservice import common
from workspace.newservice.code import imports, snake, words

DOMAIN = '''\
"""What $name makes of each event. Pure: no Dapr, no FastAPI, no clock, no I/O."""

from dataclasses import dataclass

$imports


@dataclass(frozen=True, slots=True)
class Note:
    subject: str
    text: str
'''

RULE = """

def $function(event: $Event) -> Note:
    return Note(event.subject, "$words")
"""

CHOREOGRAPHY = '''\
"""Choreography: which event leads to what."""

from chassis import Handlers, Transaction
$imports
from $package import domain
from $package.domain import Note

events = Handlers()


def note_key(subject: str) -> str:
    return f"note:{subject}"


async def _keep(note: Note, tx: Transaction) -> None:
    key = note_key(note.subject)
    # What was noted first stands.
    if await tx.get(key, Note) is None:
        tx.put(key, note)
'''

REACTION = """

@events.on($Event)
async def $function(event: $Event, tx: Transaction) -> None:
    await _keep(domain.$function(event), tx)
"""

API = '''\
"""Notes over HTTP, to look at."""

from fastapi import APIRouter, HTTPException

from chassis import ClientRoute, Running
from $package.choreography import note_key
from $package.domain import Note

router = APIRouter(route_class=ClientRoute, tags=["$Title"])


@router.get("/$name/{subject}")
async def get_note(subject: str, service: Running) -> Note:
    note = await service.look_up(note_key(subject), Note)
    if note is None:
        raise HTTPException(404, f"there is no note of {subject}")
    return note
'''

TESTS = '''\
"""What it notes, also under every fault of the simulation: SCHEDULES=20000 pytest for more."""

import pytest

from contracts.base import Message
$imports
from $package.choreography import events, note_key
from $package.domain import Note
from $package.main import compose
from testkit import Harness
from testkit.simulation import Check, Simulation, World, schedules
from testkit.sagas import example

EVENTS: tuple[Message, ...] = ($examples,)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
async def test_an_event_is_noted_once(event: Message) -> None:
    service = Harness(events)
    for id in ("1", "2"):
        await service.handle(event, id=id)
    assert service.store.get(note_key(event.subject), Note) is not None


def something_happens(world: World) -> Check:
    event = world.pick(EVENTS)
    world.publish(event, id="1")

    def check() -> list[str]:
        note = world.store("$name").get(note_key(event.subject), Note)
        return [] if note else [f"note: {type(event).__name__} left none"]

    return check


def test_whatever_fails_the_event_is_noted() -> None:
    Simulation([compose], something_happens).explore(schedules(200))
'''


def files(name: str, package: str, events: Sequence[type[Message]]) -> dict[str, str]:
    """By path, below the folder of the service."""
    known = common.names(name, package) | {
        "imports": imports(events),
        "examples": ", ".join(f"example({event.__name__})" for event in events),
    }
    each = [
        {
            "Event": event.__name__,
            "function": snake(event.__name__),
            "words": f"{words(event.__name__)}.".capitalize(),
        }
        for event in events
    ]
    parts = {
        "domain.py": DOMAIN + "".join(Template(RULE).substitute(names) for names in each),
        "choreography.py": CHOREOGRAPHY
        + "".join(Template(REACTION).substitute(names) for names in each),
        "api.py": API,
    }
    main = {
        "imports": f"from {package} import api, choreography\n",
        "composes": "    service.subscribe(choreography.events)\n"
        "    service.app.include_router(api.router)",
    }
    about = f"listens to {', '.join(words(event.__name__) for event in events)}."
    made = common.files(name, package, about, main)
    for file, text in parts.items():
        made[f"src/{package}/{file}"] = Template(text).safe_substitute(known)
    return made | {"tests/test_choreography.py": Template(TESTS).safe_substitute(known)}
