from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis import Service, envelope, topic_of
from chassis.errors import Unavailable
from chassis.testing import MemoryBroker, MemoryEngine, MemoryStore, memory_ports, running
from contracts import Event, PaymentDeclined, StockReleased, StockReserved
from contracts.testing import ORDER_ID, order_of
from orders import choreography
from orders.domain import Order, Retry, Style
from orders.main import compose
from orders.settings import settings
from orders.steps import order_key

ORDER: dict[str, Any] = order_of({"TEA": 2}, unit_price_cents=150).model_dump(mode="json")
WORKFLOWS = [Style.ORCHESTRATION, Style.HYBRID]


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


@pytest.fixture
async def client(orders: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with running(orders) as client:
        yield client


async def hear(orders: Service, event: Event, id: str) -> None:
    arrived = envelope(event, id=id, source="test", traceparent=None)
    await orders.processor.process(arrived, choreography.events[topic_of(type(event))])


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


async def test_an_accepted_order_is_told_to_everyone(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    order_id = (await place(client, style="choreography")).json()["order_id"]
    (told,) = broker.published["order-placed"]
    assert (told.subject, told.source) == (order_id, "orders")


async def test_the_same_key_and_body_get_the_same_answer_and_one_order(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    first, second = await place(client, "1"), await place(client, "1")
    assert first.json() == second.json()
    assert len({event.id for event in broker.published["order-placed"]}) == 1


async def test_a_key_means_the_same_with_and_without_quotes(client: httpx.AsyncClient) -> None:
    assert (await place(client, '"1"')).json() == (await place(client, "1")).json()


async def test_requests_without_a_key_are_orders_of_their_own(client: httpx.AsyncClient) -> None:
    ids = {(await client.post("/orders", json=ORDER)).json()["order_id"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize("changes", [{"card": "card-bob"}, {"style": "hybrid"}])
async def test_the_same_key_with_another_body_is_refused_and_begins_nothing(
    client: httpx.AsyncClient, broker: MemoryBroker, engine: MemoryEngine, changes: dict[str, str]
) -> None:
    await place(client, "1", style="choreography")
    response = await place(client, "1", **{"style": "choreography"} | changes)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert "used before" in response.json()["detail"]
    assert len(broker.published["order-placed"]) == 1
    assert engine.begun == []


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


async def test_an_order_that_only_others_have_heard_of_is_not_found_yet(
    client: httpx.AsyncClient, orders: Service
) -> None:
    await hear(orders, StockReserved(order_id=ORDER_ID, order=order_of()), "1")
    assert (await client.get(f"/orders/{ORDER_ID}")).status_code == 404


async def test_an_order_shows_its_steps_its_failure_and_what_was_undone(
    client: httpx.AsyncClient, orders: Service
) -> None:
    order_id = UUID((await place(client, style="choreography")).json()["order_id"])
    await hear(orders, StockReserved(order_id=order_id, order=order_of()), "1")
    await hear(orders, PaymentDeclined(order_id=order_id, reason="no credit"), "2")
    await hear(orders, StockReleased(order_id=order_id), "3")

    order = (await client.get(f"/orders/{order_id}")).json()
    assert order["state"] == "cancelled"
    assert [step["event"] for step in order["steps"]] == [
        "StockReserved",
        "PaymentDeclined",
        "StockReleased",
    ]
    assert order["failure"] == {"step": "PaymentDeclined", "reason": "no credit"}
    assert order["undone"] == ["StockReleased"]
    assert order["ended_at"] is not None


async def test_an_order_shows_what_is_tried_again_and_whether_that_needs_a_human(
    client: httpx.AsyncClient, store: MemoryStore
) -> None:
    order_id = UUID((await place(client)).json()["order_id"])
    assert (await client.get(f"/orders/{order_id}")).json()["retrying"] == []

    since = datetime(2020, 1, 1, tzinfo=UTC)
    order = store.get(order_key(order_id), Order)
    assert order is not None
    retry = Retry("CapturePayment", "payments", 7, since, "HTTP 503")
    store.put(order_key(order_id), order.retry([retry]))
    assert (await client.get(f"/orders/{order_id}")).json()["retrying"] == [
        {
            "step": "CapturePayment",
            "participant": "payments",
            "attempts": 7,
            "since": "2020-01-01T00:00:00Z",
            "cause": "HTTP 503",
            "needs_human": True,
        }
    ]


async def test_a_broker_that_is_away_gets_503_and_the_same_request_goes_on_later(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    broker.failures = [Unavailable("the broker is away")]
    response = await place(client, "1", style="choreography")
    assert response.status_code == 503
    assert (await place(client, "1", style="choreography")).status_code == 202


@pytest.mark.parametrize("style", WORKFLOWS)
async def test_a_workflow_begins_under_the_id_of_its_order(
    client: httpx.AsyncClient, engine: MemoryEngine, broker: MemoryBroker, style: Style
) -> None:
    response = await place(client, style=style)
    order_id = response.json()["order_id"]
    assert [instance for _, instance in engine.begun] == [order_id]
    assert not broker.published

    order = (await client.get(f"/orders/{order_id}")).json()
    assert (order["style"], order["state"]) == (style, "placed")


async def test_each_style_begins_a_workflow_of_its_own(
    client: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    for style in WORKFLOWS:
        await place(client, key=style, style=style)
    assert [workflow for workflow, _ in engine.begun] == ["fulfil_order", "fulfil_order_hybrid"]


@pytest.mark.parametrize("style", WORKFLOWS)
async def test_a_request_that_is_sent_again_does_not_begin_its_workflow_again(
    client: httpx.AsyncClient, engine: MemoryEngine, style: Style
) -> None:
    for _ in range(2):
        await place(client, "1", style=style)
    assert len(engine.begun) == 1


@pytest.mark.parametrize("style", WORKFLOWS)
async def test_an_order_can_be_looked_up_once_it_is_accepted_though_its_workflow_went_ahead(
    client: httpx.AsyncClient, orders: Service, engine: MemoryEngine, style: Style
) -> None:
    engine.failures = [Unavailable("it took the workflow, and its answer was lost")]
    assert (await place(client, "1", style=style)).status_code == 503
    order_id = UUID(engine.begun[0][1])
    await hear(orders, StockReserved(order_id=order_id, order=order_of()), "step-1")

    assert (await place(client, "1", style=style)).status_code == 202
    order = (await client.get(f"/orders/{order_id}")).json()
    assert [step["event"] for step in order["steps"]] == ["StockReserved"]
    assert len(engine.begun) == 1
