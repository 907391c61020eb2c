"""Messages in and out over service invocation: a command is the request, its reply the response."""

from functools import cached_property
from http import HTTPStatus
from typing import Any

import aiohttp
from fastapi import APIRouter, FastAPI, Request, Response

from chassis.cloudevents import CONTENT_TYPE, CloudEvent, read_event
from chassis.errors import Rejected, Unavailable
from chassis.guard import SidecarRoute
from chassis.handlers import Handlers, Step
from chassis.inbox import to_the_caller
from chassis.logs import about
from chassis.metrics import received
from chassis.processor import Processor
from chassis.settings import ServiceSettings

MAX_CONNECTIONS = 100

REQUEST_BODY = {
    "required": True,
    "content": {CONTENT_TYPE: {"schema": CloudEvent.model_json_schema()}},
}


def answer(app: FastAPI, handlers: Handlers, processor: Processor) -> None:
    """Serve each command at `POST /commands/<its topic>`, through the inbox like any message.

    The request is a CloudEvent whose id is the idempotency key; the response is the CloudEvent of
    the one outcome. That is a `CommandRefused` for what can never succeed; 503 is for what may
    succeed later (see `chassis.problems`).
    """
    router = APIRouter(route_class=SidecarRoute, tags=["Commands"])
    for step in handlers:
        if not step.outcomes:
            raise ValueError(f"the handler of {step.topic} returns nothing, and its caller waits")
        router.add_api_route(
            f"/commands/{step.topic}",
            _endpoint(step, processor),
            methods=["POST"],
            summary=" or ".join(message.__name__ for message in step.messages.values()),
            response_class=CloudEventResponse,
            openapi_extra={"requestBody": REQUEST_BODY},
        )
    app.include_router(router)


class CloudEventResponse(Response):
    media_type = CONTENT_TYPE


def _endpoint(step: Step, processor: Processor) -> Any:
    async def ask(request: Request) -> Response:
        # As an event is read: FastAPI lets half of a surrogate pair pass, which cannot be stored.
        event = read_event(await request.body())
        received(step.topic, "invocation")
        with about(event):
            (reply,) = await processor.process(event, step, to_the_caller, is_command=True)
        return CloudEventResponse(reply.on_the_wire())

    return ask


class Participants:
    """Other services, called through the sidecar."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        # Made at the first call, because a session belongs to the event loop that it is made on.
        settings = self._settings
        token = settings.dapr_api_token
        return aiohttp.ClientSession(
            f"http://{settings.dapr_runtime_host}:{settings.dapr_http_port}/v1.0/invoke/",
            headers={"dapr-api-token": token.get_secret_value()} if token else {},
            timeout=aiohttp.ClientTimeout(total=settings.handler_timeout_seconds),
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
        )

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        """The participant's own reply to the command, a `CommandRefused` included.

        Raises `Unavailable` for anything else: it may have done what it was asked. A status code
        says nothing about that, for sidecars, meshes and proxies answer with those, too.
        """
        asked = f"{app_id} was asked to {topic}"
        headers = {"content-type": CONTENT_TYPE}
        if command.traceparent:
            headers["traceparent"] = command.traceparent
        try:
            # A redirect would be a second command, to whom nobody here has asked.
            async with self._session.post(
                f"{app_id}/method/commands/{topic}",
                data=command.on_the_wire(),
                headers=headers,
                allow_redirects=False,
            ) as response:
                body = await self._read(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"{asked}: {error!r}") from error
        said = f"{asked}: HTTP {response.status}: {body[:500].decode(errors='replace')}"
        if response.status != HTTPStatus.OK:
            raise Unavailable(said)
        if len(body) > self._settings.max_body_bytes:
            raise Unavailable(f"{said}, which is more than max_body_bytes")
        try:
            reply = read_event(body)
        except Rejected as error:
            raise Unavailable(f"{said}, which is no CloudEvent") from error
        if reply.causationid != command.id:
            raise Unavailable(f"{said}, which is a reply to another command")
        return reply

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """What is larger than any message is not read to its end."""
        body = bytearray()
        async for part in response.content.iter_any():
            body += part
            if len(body) > self._settings.max_body_bytes:
                break
        return bytes(body)

    async def close(self) -> None:
        if "_session" in vars(self):
            await self._session.close()
