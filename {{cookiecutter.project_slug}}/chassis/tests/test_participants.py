from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chassis.cloudevents import envelope
from chassis.errors import Rejected, Unavailable
from chassis.invocation import Participants
from chassis.settings import ServiceSettings
from chassis.testing.bank import Deposit, Deposited

COMMAND = envelope(Deposit(), id="1", source="test", traceparent=None)
REPLY = envelope(Deposited(account="ada", balance=1), id="2", source="bank", traceparent=None)


class Sidecar:
    """Answers every invocation as it is told to, and remembers where it went."""

    status, body = 200, REPLY.on_the_wire()
    path = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.path = request.path
        return web.Response(status=self.status, body=self.body)


@pytest.fixture
def sidecar() -> Sidecar:
    return Sidecar()


@pytest.fixture
async def participants(sidecar: Sidecar) -> AsyncIterator[Participants]:
    app = web.Application()
    app.router.add_post("/{path:.*}", sidecar.answer)
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


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_refusal_of_the_service_is_final(
    participants: Participants, sidecar: Sidecar, status: int
) -> None:
    sidecar.status, sidecar.body = status, b"the reason"
    with pytest.raises(Rejected, match="the reason"):
        await participants.ask("bank", COMMAND, "deposit")


@pytest.mark.parametrize("status", [500, 503])
async def test_a_service_that_is_away_may_answer_later(
    participants: Participants, sidecar: Sidecar, status: int
) -> None:
    sidecar.status = status
    with pytest.raises(Unavailable, match="bank was asked to deposit"):
        await participants.ask("bank", COMMAND, "deposit")


async def test_a_reply_that_is_no_cloudevent_is_no_refusal(
    participants: Participants, sidecar: Sidecar
) -> None:
    sidecar.body = b"{}"
    with pytest.raises(Unavailable, match="no CloudEvent"):
        await participants.ask("bank", COMMAND, "deposit")


async def test_without_a_sidecar_the_service_may_answer_later(settings: ServiceSettings) -> None:
    participants = Participants(settings)
    with pytest.raises(Unavailable, match="bank was asked to deposit"):
        await participants.ask("bank", COMMAND, "deposit")
    await participants.close()
