"""Input that no good client sends gets a clear refusal, and changes nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from testkit import running
from tests.system.in_memory import in_memory

ORDER: dict[str, Any] = {
    "style": "choreography",
    "customer": "ada",
    "card": "card-ada",
    "country": "NL",
    "lines": [{"sku": "TEA", "quantity": 2, "unit_price_cents": 100}],
}
ORDER_ID = "00000000-0000-4000-8000-000000000001"
JSON = {"content-type": "application/json"}

HOSTILE = [
    "..",
    "../../etc/passwd",
    "a/b",
    "a|b",
    "a||b",
    "line\nbreak",
    "\x00",
    "\x1b[2J",
    "'; drop table state; --",
    "Ω" * 10,
    "A" * 10_000,
]


@pytest.fixture
async def orders() -> AsyncIterator[httpx.AsyncClient]:
    async with running(in_memory("orders")) as client:
        yield client


@pytest.fixture
async def inventory() -> AsyncIterator[httpx.AsyncClient]:
    async with running(in_memory("inventory")) as client:
        yield client


def must_refuse(response: httpx.Response, *statuses: int) -> str:
    """What the problem says that the response must be: its detail, and its errors."""
    assert response.status_code in statuses, (response.status_code, response.text[:500])
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["detail"]
    errors = (f"{error['where']}: {error['why']}" for error in problem.get("errors", ()))
    return "; ".join((problem["detail"], *errors))


async def test_a_body_that_is_too_large_is_refused_by_its_length(
    orders: httpx.AsyncClient,
) -> None:
    body = json.dumps(ORDER | {"customer": "a" * 1_000_000})
    response = await orders.post("/orders", content=body, headers=JSON)
    # Starlette answers this one before the app is asked: plain text.
    assert (response.status_code, response.text) == (413, "Content Too Large")


async def test_a_body_that_does_not_say_how_large_it_is_is_refused_too(
    orders: httpx.AsyncClient,
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b" " * 1_000

    must_refuse(await orders.post("/orders", content=endless(), headers=JSON), 413)


async def test_a_large_delivery_of_events_is_authorized(orders: httpx.AsyncClient) -> None:
    entries = [{"entryId": str(n), "event": "x" * 100_000} for n in range(10)]
    response = await orders.post("/events/stock-reserved", json={"entries": entries})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "", "multipart/form-data"]
)
async def test_another_content_type_is_refused(
    orders: httpx.AsyncClient, content_type: str
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = await orders.post("/orders", content=json.dumps(ORDER), headers=headers)
    must_refuse(response, 415, 422)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"customer": ' + b"9" * 10_000 + b"}",
        b'{"\\ud800": 1}',
        b'{"customer": "\\ud800"}',
        b'{"a\\u0000b": 1}',
        b"null",
        b"NaN",
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_a_body_that_is_not_an_order_is_refused(
    orders: httpx.AsyncClient, body: bytes
) -> None:
    must_refuse(await orders.post("/orders", content=body, headers=JSON), 400, 422)


@pytest.mark.parametrize("quantity", ["0", "-1", "10001", "1e400", "NaN", "1.5", "1" * 400])
async def test_a_number_out_of_range_is_refused(orders: httpx.AsyncClient, quantity: str) -> None:
    body = json.dumps(ORDER).replace('"quantity": 2', f'"quantity": {quantity}')
    detail = must_refuse(await orders.post("/orders", content=body, headers=JSON), 422)
    assert "body.lines.0.quantity" in detail


@pytest.mark.parametrize("id", HOSTILE)
async def test_a_hostile_id_in_a_path_is_refused(
    orders: httpx.AsyncClient, inventory: httpx.AsyncClient, id: str
) -> None:
    path = quote(id, safe="")
    must_refuse(await orders.get(f"/orders/{path}"), 404, 422)
    must_refuse(await orders.get(f"/dead-letters/{path}"), 404, 422)
    must_refuse(await inventory.get(f"/stock/{path}"), 404, 422)
    receipt = await inventory.post(f"/stock/{path}/receipts", json={"quantity": 1})
    must_refuse(receipt, 404, 405, 422)


@pytest.mark.parametrize("id", HOSTILE)
async def test_a_hostile_id_in_a_body_is_refused(orders: httpx.AsyncClient, id: str) -> None:
    for field in ("customer", "card", "country"):
        detail = must_refuse(await orders.post("/orders", json=ORDER | {field: id}), 422)
        assert f"body.{field}" in detail


@pytest.mark.parametrize("key", ['""', '" "', "", " ", "a\tb", "\x1b[2J", "k" * 10_000])
async def test_a_hostile_key_is_refused(orders: httpx.AsyncClient, key: str) -> None:
    headers = {"idempotency-key": key}
    detail = must_refuse(await orders.post("/orders", json=ORDER, headers=headers), 422)
    assert "header.idempotency-key" in detail


def command(**changes: Any) -> dict[str, Any]:
    order = {name: value for name, value in ORDER.items() if name != "style"}
    return {
        "specversion": "1.0",
        "id": "a-command",
        "source": "test",
        "type": "reserve-stock.v1",
        "subject": ORDER_ID,
        "time": "2030-01-01T00:00:00Z",
        "data": {"order_id": ORDER_ID, "order": order},
    } | changes


async def ask(inventory: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    headers = {"content-type": "application/cloudevents+json"}
    body = json.dumps(command(**changes))
    return await inventory.post("/commands/reserve-stock", content=body, headers=headers)


def must_refuse_the_command(response: httpx.Response) -> str:
    """The reason in the outcome that the response must be: a status code is no refusal."""
    reply = response.json()
    assert (response.status_code, reply["type"]) == (200, "command-refused.v1")
    reason: str = reply["data"]["reason"]
    return reason


@pytest.mark.parametrize(
    "type", ["reserve-stock.v2", "reserve-stock", "release-stock.v1", "x" * 255]
)
async def test_an_unknown_type_or_version_is_refused_by_name(
    inventory: httpx.AsyncClient, type: str
) -> None:
    reason = must_refuse_the_command(await ask(inventory, type=type))
    assert type in reason
    assert "reserve-stock.v1" in reason


@pytest.mark.parametrize("id", [*HOSTILE[3:], ""])
async def test_a_command_with_a_hostile_id_is_refused(
    inventory: httpx.AsyncClient, id: str
) -> None:
    must_refuse(await ask(inventory, id=id), 422)
    must_refuse_the_command(await ask(inventory, data={"order_id": id}))
    must_refuse(await ask(inventory, replyto=id), 422)


@pytest.mark.parametrize("time", ["yesterday", "2030-01-01", "2030-01-01T00:00:00", 1e300])
async def test_a_time_that_is_none_is_refused(inventory: httpx.AsyncClient, time: Any) -> None:
    assert "time" in must_refuse(await ask(inventory, time=time), 422)


@pytest.mark.parametrize(
    "skewed",
    [
        "0001-01-01T00:00:00+23:59",
        "1970-01-01T00:00:00Z",
        "2999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
    ],
)
async def test_a_clock_that_is_wrong_is_accepted_and_changes_no_outcome(
    orders: httpx.AsyncClient, inventory: httpx.AsyncClient, skewed: str
) -> None:
    """The order of events decides nothing: how an order ends follows from which have come."""
    assert (await ask(inventory, time=skewed)).json()["type"] == "stock-rejected.v1"

    placed = await orders.post("/orders", json=ORDER)
    order_id = placed.json()["order_id"]
    for topic, time in (("payment-declined", skewed), ("stock-released", "2030-01-01T00:00:00Z")):
        event = command(
            id=topic, type=f"{topic}.v1", time=time, data={"order_id": order_id, "reason": "why"}
        )
        entries = [{"entryId": "1", "event": event}]
        await orders.post(f"/events/{topic}", json={"entries": entries})

    order = (await orders.get(f"/orders/{order_id}")).json()
    assert (order["state"], order["failure"]["step"]) == ("cancelled", "CapturePayment")
    assert order["undone"] == ["StockReleased"]
