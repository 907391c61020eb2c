"""Service invocation: `Participants` as it is, on an HTTP session that the simulation answers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import aiohttp
from starlette.requests import Request

from chassis.cloudevents import CloudEvent
from chassis.errors import Rejected, Unavailable
from chassis.invocation import Participants
from testkit.simulation.faults import HttpError
from testkit.simulation.process import Process, here
from testkit.simulation.world import around


class SimulatedParticipants:
    """For whichever process runs."""

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        return await Invoked(here().service.settings).ask(app_id, command, topic)

    async def close(self) -> None:
        pass


class Invoked(Participants):
    @cached_property
    def _session(self) -> Any:
        return SimulatedSession()


@dataclass(frozen=True, slots=True)
class Answer:
    """What aiohttp makes of a response."""

    status: int
    body: bytes

    @property
    def content(self) -> "Answer":
        return self

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self.body


class SimulatedSession:
    @asynccontextmanager
    async def post(
        self, path: str, *, data: bytes, headers: Mapping[str, str], allow_redirects: bool
    ) -> AsyncIterator[Answer]:
        assert not allow_redirects, "the simulation follows none"
        app_id, _, route = path.partition("/method")
        caller = here()
        command = caller.said(CloudEvent.model_validate_json(data))
        around().asked.append(command)
        if not around().has(app_id):
            yield Answer(500, b"ERR_DIRECT_INVOKE")
            return

        async def serve(process: Process) -> Answer:
            return await _answer(process, route, command.on_the_wire())

        topic = route.rpartition("/")[2]
        what = f"{topic} of {command.subject}"
        try:
            answer = await around().ask(caller, app_id, topic, what, serve)
        except HttpError as error:
            answer = Answer(error.status, str(error).encode())
        except Unavailable as error:
            raise aiohttp.ClientConnectionError(str(error)) from error
        yield answer

    async def close(self) -> None:
        pass


async def _answer(process: Process, route: str, command: bytes) -> Answer:
    """The participant's response. Raises `HttpError` as the chassis answers with an error."""
    endpoint = process.member.endpoints.get(route)
    if endpoint is None:
        raise HttpError(404, f"{process.name} has no {route}")
    if len(command) > process.service.settings.max_body_bytes:
        raise HttpError(413, "more than max_body_bytes")
    try:
        response = await endpoint(_request(command))
    except Rejected as error:
        raise HttpError(422, str(error)) from error
    except (Unavailable, TimeoutError) as error:
        raise HttpError(503, str(error)) from error
    except Exception as error:
        raise HttpError(500, repr(error)) from error
    return Answer(response.status_code, response.body)


def _request(body: bytes) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http"}, receive)
