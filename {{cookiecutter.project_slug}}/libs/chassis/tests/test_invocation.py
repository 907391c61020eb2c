import json
from typing import Any

import httpx
import pytest

from chassis.cloudevents import CONTENT_TYPE, CloudEvent, envelope
from chassis.errors import Rejected, Unavailable
from chassis.handlers import Handlers
from chassis.service import Service
from chassis.transaction import Transaction
from testkit import MemoryBroker, MemoryStore, running
from testkit.bank import Deposit, Deposited, deposit, handlers


@pytest.fixture
def bank(service: Service) -> Service:
    service.answer(handlers)
    return service


async def ask(service: Service, id: str = "1", **content: Any) -> httpx.Response:
    command = envelope(Deposit(**content), id=id, source="test", traceparent=None)
    return await post(service, command.on_the_wire())


async def post(service: Service, content: bytes) -> httpx.Response:
    async with running(service) as client:
        return await client.post(
            "/commands/deposit", content=content, headers={"content-type": CONTENT_TYPE}
        )


async def test_the_answer_to_a_command_is_the_event_of_its_outcome(bank: Service) -> None:
    response = await ask(bank, "1", amount=5)
    reply = CloudEvent.model_validate_json(response.content)
    assert response.status_code == 200
    assert response.headers["content-type"] == CONTENT_TYPE
    assert (reply.type, reply.causationid) == ("deposited.v2", "1")
    assert reply.data == {"account": "ada", "balance": 5}


async def test_the_same_command_again_gets_the_same_answer(
    bank: Service, store: MemoryStore
) -> None:
    first, second = await ask(bank, "1"), await ask(bank, "1")
    assert first.content == second.content
    assert store.get("ada", int) == 1


async def test_nobody_but_the_caller_gets_the_answer(bank: Service, broker: MemoryBroker) -> None:
    await ask(bank)
    assert not broker.published


@pytest.mark.parametrize("subject", ["\ud800", 1, None, ["x"]])
async def test_a_command_that_is_no_cloudevent_gets_422(bank: Service, subject: Any) -> None:
    event = json.loads(
        envelope(Deposit(), id="1", source="test", traceparent=None).on_the_wire()
    ) | {"subject": subject, "source": ""}
    response = await post(bank, json.dumps(event).encode())
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert "not a CloudEvent" in response.json()["detail"]


async def test_a_command_that_can_never_be_done_is_refused_by_the_participant_itself(
    bank: Service,
) -> None:
    command = envelope(Deposit(), id="1", source="test", traceparent=None)
    response = await post(bank, command.model_copy(update={"type": "deposit.v9"}).on_the_wire())
    reply = CloudEvent.model_validate_json(response.content)
    assert (reply.type, reply.causationid) == ("command-refused.v1", "1")
    assert "deposit.v9" in reply.data["reason"]


async def test_a_refusal_stands_for_a_copy_that_could_be_done(
    bank: Service, store: MemoryStore
) -> None:
    # Two replicas while a new version rolls out: what was refused must not be done afterwards.
    command = envelope(Deposit(), id="1", source="test", traceparent=None)
    unreadable = command.model_copy(update={"type": "deposit.v9"})
    refused = await post(bank, unreadable.on_the_wire())
    assert (await post(bank, command.on_the_wire())).content == refused.content
    assert store.get("ada", int) is None


async def test_a_refusal_after_writes_leaves_nothing_of_them(
    service: Service, store: MemoryStore
) -> None:
    async def hesitant(asked: Deposit, tx: Transaction) -> Deposited:
        await deposit(asked, tx)
        raise Rejected("on second thoughts, no")

    hesitating = Handlers()
    hesitating.on(Deposit)(hesitant)
    service.answer(hesitating)
    reply = CloudEvent.model_validate_json((await ask(service)).content)
    assert reply.data == {"subject": "ada", "reason": "on second thoughts, no"}
    assert store.get("ada", int) is None


async def test_an_id_that_was_used_for_another_command_gets_422(bank: Service) -> None:
    await ask(bank, "1", amount=5)
    response = await ask(bank, "1", amount=6)
    assert response.status_code == 422
    assert "used before" in response.json()["detail"]


async def test_a_store_that_is_away_gets_503_and_a_time_to_come_back(
    bank: Service, store: MemoryStore
) -> None:
    store.failures = [Unavailable("the store is away")]
    response = await ask(bank)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "the store is away" in response.json()["detail"]


async def test_a_handler_that_fails_gets_500_without_its_details(bank: Service) -> None:
    response = await ask(bank, amount=-1)
    assert response.status_code == 500
    assert "below zero" not in response.text


def test_a_command_that_leads_to_no_reply_is_refused_at_once(service: Service) -> None:
    async def silent(asked: Deposit, tx: Transaction) -> None:
        pass

    commands = Handlers()
    commands.on(Deposit)(silent)
    with pytest.raises(ValueError, match="the handler of deposit returns nothing"):
        service.answer(commands)
