"""An initiator: begins a saga over HTTP, in each style, and shows how far a process is."""

import re
from collections.abc import Sequence
from string import Template
from uuid import UUID

from chassis.messages import Message, name_of
from chassis.saga import Step
from chassis.saga.declaration import FAILURE
from chassis.saga.field_types import fields
from workspace.errors import StackError
from workspace.newservice import common
from workspace.newservice.code import annotations, imports, snake, words

#: `BookRoom/FreeRoom@rooms`: a command, what undoes it, and whose it is.
STEP = re.compile(r"(?P<command>\w+)(?:/(?P<undo>\w+))?@(?P<at>[a-z][a-z0-9-]*)")

SAGA = '''\
"""The process that $name initiates: what follows what, and what undoes it."""

from chassis.saga import Saga, Step
$imports

$SAGA = Saga(
    started_by=$Start,
    steps=($steps,),
    completed=$Completed,
    cancelled=$Cancelled,
)
'''

SETTINGS = '''\
"""Settings of $name."""

from chassis import ServiceSettings
from chassis.saga import Style


class $Settings(ServiceSettings):
    app_id: str = "$name"

    #: The style of a process that does not name one.
    default_style: Style = Style.CHOREOGRAPHY


settings = $Settings()
'''

API = '''\
"""$Title over HTTP: begin a process, and see how far it is."""

from uuid import UUID

from fastapi import APIRouter, HTTPException, Response, status
from pydantic import BaseModel, ConfigDict

from chassis import Caller, ClientRoute, IdempotencyKey, NewId, Running
from chassis.processes import ProcessView, begin, look_up
from chassis.saga import Style
$imports
from $package.saga import $SAGA
from $package.settings import settings

router = APIRouter(route_class=ClientRoute, tags=["$Title"])


class $Request(BaseModel):
    """What starts the process, and, if it matters, the style in which it runs."""

    model_config = ConfigDict(extra="forbid")

$fields
    style: Style = settings.default_style


class Accepted(BaseModel):
    $id: $Id
    style: Style


@router.post("/$name", status_code=status.HTTP_202_ACCEPTED)
async def post_$noun(
    request: $Request,
    service: Running,
    caller: Caller,
    key: IdempotencyKey,
    id: NewId,
    response: Response,
) -> Accepted:
    started = $Start($id=$made_id, $given)
    accepted = await begin(service, $SAGA, key, request, request.style, started, caller)
    response.headers["location"] = f"/$name/{accepted.id}"
    return Accepted($id=$taken_id, style=accepted.style)


@router.get("/$name/{$id}")
async def get_$noun($id: $Id, service: Running, caller: Caller) -> ProcessView:
    process = await look_up(service, $SAGA, str($id), caller)
    if process is None:
        raise HTTPException(404, f"there is no $noun {$id}")
    return process
'''

TESTS = """\
from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.saga import Style
$imports
from $package.api import $Request
from $package.main import compose
from testkit import memory_ports, running
from testkit.sagas import example

STARTED = example($Start).model_dump(mode="json")
BODY = dict((name, STARTED[name]) for name in $Request.model_fields if name in STARTED)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with running(compose(memory_ports())) as client:
        yield client


async def post(client: httpx.AsyncClient, key: str, **more: object) -> httpx.Response:
    return await client.post("/$name", json=BODY | more, headers=dict([("idempotency-key", key)]))


@pytest.mark.parametrize("style", Style)
async def test_a_process_begins_and_can_be_looked_up(
    client: httpx.AsyncClient, style: Style
) -> None:
    response = await post(client, "1", style=style)
    assert response.status_code == 202
    process = (await client.get(response.headers["location"])).json()
    assert (process["style"], process["state"]) == (style, "running")


async def test_one_idempotency_key_is_one_process(client: httpx.AsyncClient) -> None:
    assert (await post(client, "1")).json() == (await post(client, "1")).json()
    other = await post(client, "1", style=Style.HYBRID)
    assert other.status_code == 422


async def test_what_nobody_began_is_not_found(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/$name/{STARTED['$id']}")
    assert response.status_code == 404
"""


def files(
    name: str, package: str, start: type[Message], steps: str, messages: Sequence[type[Message]]
) -> dict[str, str]:
    """By path, below the folder of the service. `steps`: as in `STEP`, in their order.

    Raises `StackError` where the contracts do not say what is needed.
    """
    declared = [_step(text, messages) for text in steps.split()]
    completed, cancelled = _ends(start, declared, messages)
    id = subject_of(start, [*messages])
    noun = snake(name_of(start)).split("_")[0]
    written = {field: (line, modules) for field, line, modules in annotations(start)}
    taken = [field for field in written if field != id]
    is_uuid = fields(start)[id].annotation is UUID
    origins = {line for field in taken for line in _origins(written[field][1])}
    known = common.names(name, package) | {
        "noun": noun,
        "SAGA": noun.upper(),
        "Start": start.__name__,
        "Completed": completed.__name__,
        "Cancelled": cancelled.__name__,
        "steps": ", ".join(_declaration(step) for step in declared),
        "Request": f"{noun.capitalize()}Request",
        "id": id,
        "Id": "UUID" if is_uuid else "str",
        "made_id": "id" if is_uuid else "str(id)",
        "taken_id": "UUID(accepted.id)" if is_uuid else "accepted.id",
        "fields": "\n".join(f"    {written[field][0]}" for field in taken),
        "given": ", ".join(f"{field}=request.{field}" for field in taken),
        "imports": "\n".join([imports(messages), *sorted(origins)]),
    }
    main = {
        "imports": "from chassis.processes import ProcessAccepted\n"
        "from chassis.saga import Choreography, Hybrid, Orchestration\n"
        f"from {package} import api\nfrom {package}.saga import {noun.upper()}\n",
        "composes": "    # A style is left out by leaving out its line.\n"
        f"    service.sagas.run(Choreography({noun.upper()}))\n"
        f"    service.sagas.run(Orchestration({noun.upper()}))\n"
        f"    service.sagas.run(Hybrid({noun.upper()}))\n"
        "    service.records(ProcessAccepted)\n"
        "    service.app.include_router(api.router)",
    }
    about = f"begins a process with each {words(start.__name__)}."
    return common.files(name, package, about, main) | {
        path: Template(text).substitute(known)
        for path, text in {
            f"src/{package}/saga.py": SAGA,
            f"src/{package}/settings.py": SETTINGS,
            f"src/{package}/api.py": API,
            "tests/test_api.py": TESTS,
        }.items()
    }


def subject_of(message: type[Message], messages: Sequence[type[Message]]) -> str:
    """The field that holds the id of the process: the one that all of its messages have."""
    family = [each for each in messages if each.__module__ == message.__module__]
    shared = set(fields(message)).intersection(*map(set, map(fields, family)))
    if len(shared) != 1:
        raise StackError(
            f"the messages of {message.__module__} share {sorted(shared) or 'no field'}: "
            "give them one base class whose one field is the id of their process."
        )
    return shared.pop()


def named(name: str, messages: Sequence[type[Message]]) -> type[Message]:
    """Raises `StackError` if the contracts have no such message."""
    found = next((each for each in messages if each.__name__ == name), None)
    if found is None:
        raise StackError(
            f"contracts has no message {name}; it has "
            f"{', '.join(sorted(each.__name__ for each in messages))}."
        )
    return found


def _step(text: str, messages: Sequence[type[Message]]) -> Step:
    found = STEP.fullmatch(text)
    if found is None:
        raise StackError(f"{text!r} is no step: write COMMAND@SERVICE, or COMMAND/UNDO@SERVICE.")
    undo = named(found["undo"], messages) if found["undo"] else None
    return Step(named(found["command"], messages), at=found["at"], undo=undo)


def _ends(
    start: type[Message], steps: Sequence[Step], messages: Sequence[type[Message]]
) -> tuple[type[Message], type[Message]]:
    """What no step answers with: of two, the one with a `failed_step` is the cancellation."""
    used = {start, *(each for step in steps for each in (step.command, step.undo, *step.replies))}
    ends = [each for each in messages if each.__module__ == start.__module__ and each not in used]
    cancelled = [each for each in ends if set(FAILURE) <= set(fields(each))]
    completed = [each for each in ends if each not in cancelled]
    if len(cancelled) != 1 or len(completed) != 1:
        raise StackError(
            f"besides its start, commands and replies, {start.__module__} has "
            f"{', '.join(each.__name__ for each in ends) or 'nothing'}: a process needs one event "
            f"of its completion, and one of its cancellation, with {' and '.join(FAILURE)}."
        )
    return completed[0], cancelled[0]


def _declaration(step: Step) -> str:
    undo = "" if step.undo is None else f", undo={step.undo.__name__}"
    return f'Step({step.name}, at="{step.at}"{undo})'


def _origins(modules: dict[str, str]) -> list[str]:
    return [f"from {module} import {name}" for name, module in modules.items()]
