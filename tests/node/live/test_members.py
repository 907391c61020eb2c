"""Two members in Node: one listens to how orders end, one is a participant of their saga."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.node.conftest import NodeProcess, Stack, until
from workspace.tokens import app_headers

STYLES = ("choreography", "orchestration", "hybrid")
#: What leads shipping to its step, by style; orchestration calls it.
LEADS = {"choreography": "payment-captured", "hybrid": "dispatch-shipment"}

each_style = pytest.mark.parametrize("style", STYLES)


@pytest.fixture
def shipping(up: Stack) -> Iterator[NodeProcess]:
    found = NodeProcess("shipping")
    yield found
    found.start()
    until("shipping is ready again", lambda: _ready(up))


def _ready(up: Stack) -> bool | None:
    try:
        return up.http.get(f"{up.urls['shipping']}/readyz").is_success or None
    except httpx.TransportError:
        return None


@each_style
def test_an_order_is_dispatched_by_node(up: Stack, style: str) -> None:
    order = up.place(style)
    assert up.ended(order)["state"] == "confirmed"
    assert (up.get("shipping", f"/shipments/{order}") or {})["status"] == "dispatched"
    assert up.notice(order) == {"ended": "order-confirmed.v1", "times": 1}


@each_style
def test_what_node_refuses_is_undone_before_it(up: Stack, style: str) -> None:
    order = up.place(style, country="AQ")
    ended = up.ended(order)
    assert ended["state"] == "cancelled"
    assert ended["failure"]["step"] == "DispatchShipment"  # type: ignore[index]
    assert ended["undone"] == ["PaymentRefunded", "StockReleased"]
    assert up.notice(order) == {"ended": "order-cancelled.v1", "times": 1}


@pytest.mark.parametrize("style", LEADS)
def test_a_repeated_delivery_takes_effect_once(up: Stack, style: str) -> None:
    order = up.place(style)
    up.ended(order)
    up.notice(order)
    (lead,) = up.messages(LEADS[style], order)
    answered = "order-placed-replies" if style == "hybrid" else "shipment-dispatched"
    replies = [each for each in up.messages(answered, order) if b"shipment-dispatched" in each]
    for _ in range(3):
        up.broker.xadd(LEADS[style], {"data": lead})
    (end,) = up.messages("order-confirmed", order)
    up.broker.xadd("order-confirmed", {"data": end})
    _all_read(up, LEADS[style], "shipping")
    _all_read(up, "order-confirmed", "notices")
    again = [each for each in up.messages(answered, order) if b"shipment-dispatched" in each]
    assert len(again) == len(replies) + 3
    assert {json.loads(each)["id"] for each in again} == {json.loads(replies[0])["id"]}
    assert up.notice(order)["times"] == 1


def test_a_repeated_call_gets_the_same_reply(up: Stack) -> None:
    order = str(uuid4())
    command = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "orders",
        "type": "dispatch-shipment.v1",
        "subject": order,
        "time": "2026-01-01T00:00:00Z",
        "data": {"order_id": order, "order": {"country": "NL"}},
    }
    url = f"{up.urls['shipping']}/commands/dispatch-shipment"
    first, second = (
        up.http.post(url, json=command, headers=app_headers("shipping")) for _ in range(2)
    )
    assert first.json() == second.json()
    assert first.json()["causationid"] == command["id"]


def test_a_command_that_cannot_be_read_is_refused_in_a_reply(up: Stack) -> None:
    command = {"id": str(uuid4()), "source": "orders", "type": "dispatch-shipment.v9", "data": {}}
    url = f"{up.urls['shipping']}/commands/dispatch-shipment"
    reply = up.http.post(url, json=command, headers=app_headers("shipping")).json()
    assert (reply["type"], reply["causationid"]) == ("command-refused.v1", command["id"])


@each_style
def test_killed_after_its_commit_it_answers_all_the_same(
    up: Stack, shipping: NodeProcess, style: str, tmp_path: Path
) -> None:
    where = tmp_path / "die"
    shipping.start(DIE_AT=str(where))
    until("shipping is ready", lambda: _ready(up))
    where.touch()
    orders = [up.place(style) for _ in range(5)]
    shipping.died()
    assert where.with_suffix(".died").exists()
    shipping.start()
    for order in orders:
        assert up.ended(order)["state"] == "confirmed"
        assert up.notice(order)["times"] == 1


def test_without_the_token_only_its_own_api_answers(up: Stack) -> None:
    for path in ("/dapr/subscribe", "/dead-letters"):
        assert up.http.get(f"{up.urls['shipping']}{path}").status_code == 401
    assert up.http.post(f"{up.urls['shipping']}/commands/dispatch-shipment").status_code == 401


def test_what_can_never_succeed_is_a_dead_letter(up: Stack) -> None:
    poison = {
        "id": str(uuid4()),
        "source": "tests",
        "type": "payment-captured.v9",
        "data": {"a": 1},
    }
    up.broker.xadd("payment-captured", {"data": json.dumps(poison)})

    def kept() -> dict[str, object] | None:
        found = up.dead_letters("shipping")
        return next((each for each in found if each["event_id"] == poison["id"]), None)

    letter = until("its dead letter", kept, 30)
    url = f"{up.urls['shipping']}/dead-letters/{letter['id']}"
    assert up.http.post(f"{url}/replay", headers=app_headers("shipping")).status_code == 422
    up.http.post(f"{url}/discard", headers=app_headers("shipping")).raise_for_status()
    assert kept() is None


def _all_read(up: Stack, topic: str, group: str) -> None:
    def read() -> bool | None:
        groups = {each["name"].decode(): each for each in up.broker.xinfo_groups(topic)}
        return None if groups[group]["pending"] or groups[group]["lag"] else True

    until(f"{group} has read {topic}", read)
