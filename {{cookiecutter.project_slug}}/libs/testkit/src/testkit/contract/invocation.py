"""The contract of service invocation, as `chassis.invocation.Participants` uses it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol
from uuid import uuid4

import pytest
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from chassis.cloudevents import CONTENT_TYPE, CloudEvent, envelope, read_event
from chassis.composing import Ports
from chassis.errors import Rejected, Unavailable
from chassis.guard import SidecarRoute
from chassis.handlers import Handlers
from chassis.refusal import CommandRefused
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.transaction import Transaction

PARTICIPANT = "participant"
#: Of the caller and of the participant; so long a test waits for one that hangs.
TIMEOUT_SECONDS = 1.0
#: What the participant itself, or somebody in between, may answer with.
STATUSES = (202, 301, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504)
#: To where the same sidecar would take the command to the participant once more.
REDIRECTS = (301, 302, 303, 307, 308)
LOCATION = f"/v1.0/invoke/{PARTICIPANT}/method/commands/ask"

commands = Handlers()


class Ask(BaseModel):
    version: ClassVar[int] = 1

    account: str
    then: Literal["answer", "reject", "fail", "be away", "hang"] = "answer"

    @property
    def subject(self) -> str:
        return self.account


class Answered(BaseModel):
    version: ClassVar[int] = 1

    account: str
    times: int

    @property
    def subject(self) -> str:
        return self.account


@commands.on(Ask)
async def ask(asked: Ask, tx: Transaction) -> Answered:
    times = (await tx.get(asked.account, int) or 0) + 1
    tx.put(asked.account, times)
    match asked.then:
        case "reject":
            raise Rejected("asked to reject")
        case "fail":
            raise RuntimeError("asked to fail")
        case "be away":
            raise Unavailable("asked to be away")
        case "hang":
            await asyncio.Event().wait()
    return Answered(account=asked.account, times=times)


def participant(settings: ServiceSettings, ports: Ports | None = None) -> Service:
    """What a subject asks, and beside it what only somebody in between would answer."""
    service = Service(settings, title="Participant", ports=ports)
    service.answer(commands)
    for status in STATUSES:
        # A whole reply: only the status says that it is none.
        _answer(service, f"status-{status}", lambda command: _reply(command).on_the_wire(), status)
    for status in REDIRECTS:
        _answer(
            service,
            f"redirect-{status}",
            lambda command: _reply(command).on_the_wire(),
            status,
            {"location": LOCATION},
        )
    _answer(service, "nothing", lambda _: b"")
    _answer(service, "a-page", lambda _: b"<html>Sign in</html>")
    _answer(service, "no-event", lambda _: b"{}")
    _answer(service, "an-echo", lambda command: command.on_the_wire())
    _answer(service, "another", lambda _: _reply(command_to("somebody-else")).on_the_wire())
    _answer(service, "too-much", lambda _: b" " * 5_000_000)
    return service


def _answer(
    service: Service,
    topic: str,
    body: Callable[[CloudEvent], bytes],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> None:
    async def answer(request: Request) -> Response:
        command = read_event(await request.body())
        return Response(body(command), status, headers, media_type=CONTENT_TYPE)

    router = APIRouter(route_class=SidecarRoute)
    router.add_api_route(f"/commands/{topic}", answer, methods=["POST"])
    service.app.include_router(router)


def command_to(account: str, then: str = "answer", more: str = "") -> CloudEvent:
    """One that nobody has sent before."""
    asked = Ask.model_validate({"account": account, "then": then})
    sent = envelope(asked, id=str(uuid4()), source="contract", traceparent=None)
    return sent.model_copy(update={"data": sent.data | {"more": more}}) if more else sent


def _reply(command: CloudEvent) -> CloudEvent:
    return envelope(
        Answered(account=command.subject, times=1),
        id=str(uuid4()),
        source=PARTICIPANT,
        traceparent=None,
        causationid=command.id,
    )


class Asking(Protocol):
    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent: ...


@dataclass(frozen=True)
class InvocationSubject:
    """A caller of the `participant`."""

    participants: Asking

    async def ask(
        self, command: CloudEvent, topic: str = "ask", app_id: str = PARTICIPANT
    ) -> CloudEvent:
        return await self.participants.ask(app_id, command, topic)


class InvocationContract:
    """Subclasses bring the fixture `subject`."""

    async def test_the_reply_of_the_participant_is_the_answer(
        self, subject: InvocationSubject
    ) -> None:
        command = command_to(new_account())
        reply = await subject.ask(command)
        assert reply.causationid == command.id
        assert reply.source == PARTICIPANT
        assert reply.data == {"account": command.subject, "times": 1}

    async def test_a_command_is_done_once_however_often_it_is_asked(
        self, subject: InvocationSubject
    ) -> None:
        command = command_to(new_account())
        assert await subject.ask(command) == await subject.ask(command)
        again = await subject.ask(command_to(command.subject))
        assert again.data["times"] == 2

    async def test_odd_content_arrives_as_it_was_sent(self, subject: InvocationSubject) -> None:
        for account in (" ", "ü😀", "a\nb", "x" * 200):
            reply = await subject.ask(command_to(f"{new_account()}{account}"))
            assert reply.data["account"].endswith(account)

    async def test_a_refusal_is_a_reply_that_says_so(self, subject: InvocationSubject) -> None:
        command = command_to(new_account(), "reject")
        reply = await subject.ask(command)
        assert reply.type == "command-refused.v1"
        assert reply.causationid == command.id
        refused = CommandRefused.model_validate(reply.data)
        assert refused == CommandRefused(subject=command.subject, reason="asked to reject")

    async def test_a_participant_that_cannot_answer_now_is_unavailable(
        self, subject: InvocationSubject
    ) -> None:
        for then in ("fail", "be away", "hang"):
            command = command_to(new_account(), then)
            await is_unavailable(subject.ask(command))

    async def test_whoever_is_not_there_is_unavailable(self, subject: InvocationSubject) -> None:
        await is_unavailable(subject.ask(command_to(new_account()), app_id="nobody"))
        await is_unavailable(subject.ask(command_to(new_account()), topic="no-such-command"))

    async def test_no_status_code_is_a_refusal(self, subject: InvocationSubject) -> None:
        for status in STATUSES:
            topic = f"status-{status}"
            await is_unavailable(subject.ask(command_to(new_account()), topic=topic))

    async def test_a_redirect_is_neither_a_reply_nor_a_second_command(
        self, subject: InvocationSubject
    ) -> None:
        for status in REDIRECTS:
            redirected = command_to(new_account())
            await is_unavailable(subject.ask(redirected, topic=f"redirect-{status}"))
            reply = await subject.ask(command_to(redirected.subject))
            assert reply.data["times"] == 1

    async def test_what_is_no_reply_to_the_command_is_none(
        self, subject: InvocationSubject
    ) -> None:
        for topic in ("nothing", "a-page", "no-event", "an-echo", "another", "too-much"):
            await is_unavailable(subject.ask(command_to(new_account()), topic=topic))

    async def test_a_command_that_is_too_large_is_not_taken(
        self, subject: InvocationSubject
    ) -> None:
        for size in (300_000, 5_000_000):
            await is_unavailable(subject.ask(command_to(new_account(), more="x" * size)))


def new_account() -> str:
    return f"account-{uuid4().hex}"


async def is_unavailable(asking: Coroutine[Any, Any, CloudEvent]) -> None:
    """It may have been done: neither a refusal nor a reply says otherwise."""
    with pytest.raises(Unavailable, match="was asked to"):
        await asking
