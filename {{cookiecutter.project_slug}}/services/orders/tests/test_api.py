import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis import Service, envelope, topic_of
from chassis.errors import Unavailable
from chassis.processes import ProcessAccepted
from chassis.saga import Choreography, Orchestration, Progress, Retry
from contracts.base import Event
from contracts.orders import PaymentDeclined, StockReleased, StockReserved
from orders import api
from orders.main import compose
from orders.saga import FULFILMENT
from orders.settings import settings
from testkit import (
    MemoryBroker,
    MemoryEngine,
    MemoryStore,
    memory_ports,
    running,
)
from tests.examples import ORDER_ID, order_of

ORDER: dict[str, Any] = order_of({"TEA": 2}, unit_price_cents=150).model_dump(mode="json")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def orders(store: MemoryStore, broker: MemoryBroker, engine: MemoryEngine) -> Service:
    return compose(memory_ports(store=store, broker=broker, engine=engine))


async def handle_event(orders: Service, event: Event, id: str) -> None:
    arrived = envelope(event, id=id, source="test", traceparent=None)
    await orders.subscriptions.handle(arrived, topic_of(type(event)))


@pytest.fixture
async def client(orders: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with running(orders) as client:
        yield client


async def place(client: httpx.AsyncClient, key: str = "1", **changes: Any) -> httpx.Response:
    return await client.post("/orders", json=ORDER | changes, headers={"idempotency-key": key})


async def test_an_order_is_accepted_and_can_be_found_at_its_location(
    client: httpx.AsyncClient,
) -> None:
    response = await place(client)
    order_id = response.json()["order_id"]
    assert response.status_code == 202
    assert response.headers["location"] == f"/orders/{order_id}"

    order = (await client.get(response.headers["location"])).json()
    assert (order["order_id"], order["state"]) == (order_id, "placed")
    assert order["total_cents"] == 300
    assert order["details"] == ORDER


async def test_an_order_that_names_no_style_gets_the_default_one(
    client: httpx.AsyncClient,
) -> None:
    assert (await place(client)).json()["style"] == settings.default_style


async def test_an_accepted_order_is_published(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    order_id = (await place(client, style="choreography")).json()["order_id"]
    (placed,) = broker.published["order-placed"]
    assert (placed.subject, placed.source) == (order_id, "orders")


async def test_the_same_key_and_body_get_the_same_answer_and_one_order(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    first, second = await place(client, "1"), await place(client, "1")
    assert first.json() == second.json()
    assert len({event.id for event in broker.published["order-placed"]}) == 1


async def test_an_id_is_a_new_one_that_nobody_can_guess_from_the_key() -> None:
    ids = set()
    for _ in range(2):
        async with running(compose(memory_ports())) as client:
            ids.add((await place(client, "1")).json()["order_id"])
    assert len(ids) == 2


async def test_a_crash_after_the_key_was_recorded_leads_to_the_same_order(
    store: MemoryStore, broker: MemoryBroker
) -> None:
    broker.failures = [Unavailable("the service crashes here")]
    async with running(compose(memory_ports(store=store, broker=broker))) as client:
        assert (await place(client, "1", style="choreography")).status_code == 503
    (recorded,) = [
        json.loads(write.value or "")["outcomes"][0]["event"]["subject"]
        for writes in store.commits
        for write in writes
        if write.key.startswith("inbox:") and b"process-accepted" in (write.value or b"")
    ]
    async with running(compose(memory_ports(store=store, broker=broker))) as client:
        ids = {(await place(client, "1", style="choreography")).json()["order_id"] for _ in "12"}
        assert ids == {recorded}
        assert (await client.get(f"/orders/{recorded}")).json()["order_id"] == recorded


async def test_a_key_means_the_same_with_and_without_quotes(client: httpx.AsyncClient) -> None:
    assert (await place(client, '"1"')).json() == (await place(client, "1")).json()


async def test_requests_without_a_key_are_orders_of_their_own(client: httpx.AsyncClient) -> None:
    ids = {(await client.post("/orders", json=ORDER)).json()["order_id"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize("changes", [{"card": "card-bob"}, {"style": "hybrid"}])
async def test_the_same_key_with_another_body_is_refused_and_begins_nothing(
    client: httpx.AsyncClient, broker: MemoryBroker, changes: dict[str, str]
) -> None:
    await place(client, "1", style="choreography")
    response = await place(client, "1", **{"style": "choreography"} | changes)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert "used before" in response.json()["detail"]
    assert len(broker.published["order-placed"]) == 1
    assert not broker.published["reserve-stock"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lines": []}, "body.lines"),
        ({"lines": [ORDER["lines"][0] | {"quantity": 0}]}, "body.lines.0.quantity"),
        ({"lines": [ORDER["lines"][0] | {"sku": "a|b"}]}, "body.lines.0.sku"),
        ({"card": "card\n"}, "body.card"),
        ({"country": "Netherlands"}, "body.country"),
        ({"style": "anarchy"}, "body.style"),
        ({"discount": 100}, "body.discount"),
    ],
)
async def test_bad_input_is_refused_with_the_name_of_the_field(
    client: httpx.AsyncClient, changes: dict[str, Any], field: str
) -> None:
    response = await place(client, **changes)
    assert response.status_code == 422
    assert field in [error["where"] for error in response.json()["errors"]]


async def test_a_key_with_control_characters_is_refused(client: httpx.AsyncClient) -> None:
    response = await place(client, "a\tb")
    assert [error["where"] for error in response.json()["errors"]] == ["header.idempotency-key"]


async def test_an_order_that_nobody_placed_is_not_found(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/orders/{ORDER_ID}")
    assert response.status_code == 404
    assert str(ORDER_ID) in response.json()["detail"]


async def test_an_order_of_which_only_replies_are_known_is_not_found_yet(
    client: httpx.AsyncClient, orders: Service
) -> None:
    await handle_event(orders, StockReserved(order_id=ORDER_ID, order=order_of()), "1")
    assert (await client.get(f"/orders/{ORDER_ID}")).status_code == 404


async def test_an_order_shows_its_steps_its_failure_and_what_was_undone(
    client: httpx.AsyncClient, orders: Service
) -> None:
    order_id = UUID((await place(client, style="choreography")).json()["order_id"])
    await handle_event(orders, StockReserved(order_id=order_id, order=order_of()), "1")
    await handle_event(orders, PaymentDeclined(order_id=order_id, reason="no credit"), "2")
    await handle_event(orders, StockReleased(order_id=order_id), "3")

    order = (await client.get(f"/orders/{order_id}")).json()
    assert order["state"] == "cancelled"
    assert [step["event"] for step in order["steps"]] == [
        "StockReserved",
        "PaymentDeclined",
        "StockReleased",
    ]
    assert order["failure"] == {"step": "CapturePayment", "reason": "no credit"}
    assert order["undone"] == ["StockReleased"]
    assert order["ended_at"] is not None


async def test_an_order_shows_what_is_tried_again_and_whether_that_needs_a_human(
    client: httpx.AsyncClient, store: MemoryStore
) -> None:
    order_id = UUID((await place(client)).json()["order_id"])
    assert (await client.get(f"/orders/{order_id}")).json()["retrying"] == []

    since = datetime(2020, 1, 1, tzinfo=UTC)
    key = f"process:order-placed:{order_id}"
    progress = store.get(key, Progress)
    assert progress is not None
    retry = Retry("CapturePayment", "payments", 7, since, "HTTP 503")
    store.put(key, progress.retry(FULFILMENT, [retry]))
    assert (await client.get(f"/orders/{order_id}")).json()["retrying"] == [
        {
            "command": "CapturePayment",
            "participant": "payments",
            "attempts": 7,
            "since": "2020-01-01T00:00:00Z",
            "cause": "HTTP 503",
            "needs_human": True,
        }
    ]


async def test_a_style_that_main_does_not_run_is_refused_with_those_that_it_runs() -> None:
    service = Service(settings, title="Orders", ports=memory_ports())
    service.sagas.run(Choreography(FULFILMENT), Orchestration(FULFILMENT))
    service.records(ProcessAccepted)
    service.app.include_router(api.router)
    async with running(service) as client:
        response = await place(client, style="hybrid")
        assert response.status_code == 422
        assert "choose choreography or orchestration" in response.json()["detail"]
        assert (await place(client, style="choreography")).status_code == 202


async def test_a_broker_that_is_away_gets_503_and_the_same_request_goes_on_later(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    broker.failures = [Unavailable("the broker is away")]
    response = await place(client, "1", style="choreography")
    assert response.status_code == 503
    assert (await place(client, "1", style="choreography")).status_code == 202


async def test_an_order_is_orchestrated_by_a_workflow_under_its_id(
    client: httpx.AsyncClient, engine: MemoryEngine, broker: MemoryBroker
) -> None:
    order_id = (await place(client, style="orchestration")).json()["order_id"]
    assert [id for _, id in engine.begun] == [f"order-placed.{order_id}"]
    assert not broker.published

    order = (await client.get(f"/orders/{order_id}")).json()
    assert (order["style"], order["state"]) == ("orchestration", "placed")


async def test_an_order_in_hybrid_has_its_first_command(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    order_id = (await place(client, style="hybrid")).json()["order_id"]
    (command,) = broker.published["reserve-stock"]
    assert (command.subject, command.replyto) == (order_id, "order-placed-replies")


async def test_a_request_that_is_sent_again_begins_no_second_workflow(
    client: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    for _ in range(2):
        await place(client, "1", style="orchestration")
    assert len(engine.begun) == 1
