from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chassis.cloudevents import envelope
from chassis.errors import Unavailable
from chassis.invocation import Participants
from chassis.settings import ServiceSettings
from testkit.bank import Deposit, Deposited

COMMAND = envelope(Deposit(), id="1", source="test", traceparent=None)
REPLY = envelope(
    Deposited(account="ada", balance=1), id="2", source="bank", traceparent=None, causationid="1"
)


class Sidecar:
    """Answers every invocation as a test says, and remembers where it went."""

    status, body = 200, REPLY.on_the_wire()
    path = location = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.path = request.path
        if self.location and self.path != self.location:
            return web.Response(status=self.status, headers={"location": self.location})
        return web.Response(body=self.body, status=200 if self.location else self.status)


@pytest.fixture
def sidecar() -> Sidecar:
    return Sidecar()


@pytest.fixture
async def participants(sidecar: Sidecar) -> AsyncIterator[Participants]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", sidecar.answer)
    async with TestServer(app) as server:
        settings = ServiceSettings(app_id="test", dapr_http_port=server.port or 0)
        participants = Participants(settings)
        yield participants
        await participants.close()


async def test_a_command_is_invoked_by_service_and_topic(
    participants: Participants, sidecar: Sidecar
) -> None:
    assert await participants.ask("bank", COMMAND, "deposit") == REPLY
    assert sidecar.path == "/v1.0/invoke/bank/method/commands/deposit"


@pytest.mark.parametrize("status", [202, 301, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503])
async def test_no_status_code_of_anybody_in_between_is_a_refusal(
    participants: Participants, sidecar: Sidecar, status: int
) -> None:
    sidecar.status, sidecar.body = status, b"the reason"
    with pytest.raises(Unavailable, match=f"bank was asked to deposit: HTTP {status}: the reason"):
        await participants.ask("bank", COMMAND, "deposit")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(
    participants: Participants, sidecar: Sidecar, status: int
) -> None:
    sidecar.status, sidecar.location = status, "/elsewhere"
    with pytest.raises(Unavailable, match=f"HTTP {status}"):
        await participants.ask("bank", COMMAND, "deposit")
    assert sidecar.path == "/v1.0/invoke/bank/method/commands/deposit"


async def test_a_reply_to_another_command_is_no_reply(
    participants: Participants, sidecar: Sidecar
) -> None:
    sidecar.body = REPLY.model_copy(update={"causationid": "0"}).on_the_wire()
    with pytest.raises(Unavailable, match="a reply to another command"):
        await participants.ask("bank", COMMAND, "deposit")


async def test_a_reply_that_is_no_cloudevent_is_no_refusal(
    participants: Participants, sidecar: Sidecar
) -> None:
    sidecar.body = b"{}"
    with pytest.raises(Unavailable, match="no CloudEvent"):
        await participants.ask("bank", COMMAND, "deposit")


async def test_a_reply_that_does_not_end_is_no_reply(
    participants: Participants, sidecar: Sidecar, settings: ServiceSettings
) -> None:
    sidecar.body = b"x" * (settings.max_body_bytes + 1)
    with pytest.raises(Unavailable, match="more than max_body_bytes"):
        await participants.ask("bank", COMMAND, "deposit")


async def test_without_a_sidecar_the_service_may_answer_later(settings: ServiceSettings) -> None:
    participants = Participants(settings)
    with pytest.raises(Unavailable, match="bank was asked to deposit"):
        await participants.ask("bank", COMMAND, "deposit")
    await participants.close()
