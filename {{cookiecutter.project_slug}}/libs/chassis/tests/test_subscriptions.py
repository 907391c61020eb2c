import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from chassis.cloudevents import envelope
from chassis.errors import Unavailable
from chassis.service import Service
from chassis.settings import ServiceSettings
from testkit import MemoryBroker, MemoryStore, memory_ports, running
from testkit.bank import Deposit, handlers


def wire(id: str = "1", replyto: str | None = None, **content: Any) -> dict[str, Any]:
    event = envelope(Deposit(**content), id=id, source="test", traceparent=None, replyto=replyto)
    wired: dict[str, Any] = json.loads(event.on_the_wire())
    return wired


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def answers(client: httpx.AsyncClient, event: Any) -> list[str]:
    bulk = {"entries": [{"entryId": "", "event": event}]}
    response = await client.post("/events/deposit", json=bulk)
    return [status["status"] for status in response.json()["statuses"]]


async def statuses(service: Service, *events: Any) -> list[str]:
    """What the service answers to each event of one bulk."""
    entries = [{"entryId": str(n), "event": event} for n, event in enumerate(events)]
    async with running(service) as client:
        response = await client.post("/events/deposit", json={"entries": entries})
    statuses = response.json()["statuses"]
    assert [status["entryId"] for status in statuses] == [entry["entryId"] for entry in entries]
    return [status["status"] for status in statuses]


async def test_each_topic_is_subscribed_in_bulk_and_with_a_dead_letter_topic(
    service: Service,
) -> None:
    service.subscribe(handlers)
    async with running(service) as client:
        dead_letters, subscription = (await client.get("/dapr/subscribe")).json()
    assert dead_letters["topic"] == dead_letters["deadLetterTopic"] == "bank-dead-letters"
    assert subscription["pubsubname"] == "pubsub"
    assert subscription["topic"] == "deposit"
    assert subscription["route"] == "/events/deposit"
    assert subscription["deadLetterTopic"] == "bank-dead-letters"
    assert subscription["bulkSubscribe"]["enabled"] is True
    assert subscription["metadata"] == {"rawPayload": "true"}


async def test_a_message_that_was_handled_is_acknowledged(
    service: Service, store: MemoryStore
) -> None:
    service.subscribe(handlers)
    assert await statuses(service, wire("1", amount=2), wire("2", amount=3)) == ["SUCCESS"] * 2
    assert store.get("ada", int) == 5


async def test_messages_come_one_by_one_where_that_is_asked_for(
    settings: ServiceSettings, store: MemoryStore, broker: MemoryBroker
) -> None:
    one_by_one = settings.model_copy(update={"bulk_delivery": False})
    service = Service(one_by_one, title="Bank", ports=memory_ports(store=store, broker=broker))
    service.subscribe(handlers)
    async with running(service) as client:
        for subscription in (await client.get("/dapr/subscribe")).json():
            assert subscription["bulkSubscribe"]["enabled"] is False

        async def status(raw: bytes) -> Any:
            # As daprd 1.18 wraps the bytes of a raw subscription.
            wrapped = {"id": "random", "topic": "deposit", "data_base64": b64encode(raw).decode()}
            return (await client.post("/events/deposit", json=wrapped)).json()

        good = json.dumps(wire(amount=2)).encode()
        store.failures = [Unavailable(), Unavailable()]
        assert await status(good) == {"status": "RETRY"}
        await until(lambda: not service.subscriptions.is_waiting_for_the_store)
        assert await status(good) == {"status": "SUCCESS"}
        assert await status(b"no CloudEvent") == {"status": "SUCCESS"}
        assert (await client.post("/events/deposit", json={"no": "delivery"})).is_error
    assert store.get("ada", int) == 2
    assert (await service.dead_letters.page(None)).count == 1


@pytest.mark.parametrize(
    "hopeless",
    [
        None,
        "text",
        {"id": "1"},
        wire() | {"type": "deposit.v9"},
        wire() | {"data": {"amount": "many"}},
        wire(amount=-1),
    ],
    ids=["nothing", "text", "no CloudEvent", "unknown version", "wrong data", "handler fails"],
)
async def test_what_can_never_succeed_is_kept_as_a_dead_letter_and_leaves_the_others_alone(
    service: Service, store: MemoryStore, hopeless: Any
) -> None:
    service.subscribe(handlers)
    bulk = wire("a", amount=2), hopeless, wire("b", amount=3)
    assert await statuses(service, *bulk) == ["SUCCESS"] * 3
    assert store.get("ada", int) == 5
    assert (await service.dead_letters.page(None)).count == 1


async def test_an_id_with_other_content_is_a_dead_letter(service: Service) -> None:
    service.subscribe(handlers)
    assert await statuses(service, wire("1", amount=2), wire("1", amount=3)) == ["SUCCESS"] * 2
    (letter,) = (await service.dead_letters.page(None)).letters
    assert (letter.event_id, letter.attempts) == ("1", 1)
    assert "used before, for other content" in letter.cause


async def test_a_message_that_cannot_be_kept_either_is_left_to_the_sidecar(
    service: Service, store: MemoryStore
) -> None:
    service.subscribe(handlers)
    store.failures = [Unavailable(), Unavailable()]
    assert await statuses(service, wire()) == ["RETRY"]


async def test_while_the_store_is_away_nothing_is_tried(
    service: Service, store: MemoryStore
) -> None:
    service.subscribe(handlers)
    async with running(service) as client:
        store.failures = [Unavailable(), Unavailable()]
        for _ in range(2):
            assert await answers(client, wire()) == ["RETRY"]
        assert store.failures == []
        await until(lambda: not service.subscriptions.is_waiting_for_the_store)
        assert await answers(client, wire()) == ["SUCCESS"]


async def test_an_event_leads_to_an_event_on_its_own_topic(
    service: Service, broker: MemoryBroker
) -> None:
    service.subscribe(handlers)
    await statuses(service, wire(replyto="someone-else"))
    assert list(broker.published) == ["deposited"]


async def test_a_command_is_answered_on_the_topic_that_it_asks_for(
    service: Service, broker: MemoryBroker
) -> None:
    service.consume(handlers)
    await statuses(service, wire(replyto="replies"))
    assert [reply.causationid for reply in broker.published["replies"]] == ["1"]
    assert list(broker.published) == ["replies"]


async def test_a_command_that_asks_for_no_answer_is_handled_without_an_answer(
    service: Service, broker: MemoryBroker, store: MemoryStore
) -> None:
    service.consume(handlers)
    assert await statuses(service, wire(amount=5)) == ["SUCCESS"]
    assert store.get("ada", int) == 5
    assert not broker.published


async def test_a_command_that_can_never_be_done_is_refused_where_it_asks_for_its_reply(
    service: Service, broker: MemoryBroker
) -> None:
    service.consume(handlers)
    assert await statuses(service, wire(replyto="replies") | {"type": "deposit.v9"}) == ["SUCCESS"]
    (refusal,) = broker.published["replies"]
    assert (refusal.type, refusal.causationid) == ("command-refused.v1", "1")
    assert (await service.dead_letters.page(None)).count == 0


async def test_a_delivery_that_nobody_here_reads_is_not_answered_with_404(service: Service) -> None:
    async with running(service) as client:
        response = await client.post("/events/dropped-since", json={"entries": []})
    assert response.status_code == 503
