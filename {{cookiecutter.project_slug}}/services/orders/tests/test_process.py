"""The workflows, played without an engine: what they ask, and what they do about the answers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import CloudEvent, Workflow, derived_id, envelope
from chassis.testing import ActivityCall, EventWait, Played, activity_failed, play
from contracts import (
    Event,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    ShipmentDispatched,
    ShipmentFailed,
    StockRejected,
    StockReleased,
    StockReserved,
)
from contracts.testing import ORDER_ID, order_of
from orders.hybrid import fulfil_order_hybrid
from orders.orchestration import fulfil_order
from orders.process import UNTIL_ANSWERED, Fulfilment
from orders.styles import Style

Run = Callable[..., Played[OrderConfirmed | OrderCancelled]]

ORDER = order_of()
PATIENCE = timedelta(minutes=2)
SILENCE = None

GOOD_NEWS: dict[str, Event] = {
    "reserve-stock": StockReserved(order_id=ORDER_ID, order=ORDER),
    "capture-payment": PaymentCaptured(order_id=ORDER_ID, order=ORDER, amount_cents=100),
    "dispatch-shipment": ShipmentDispatched(order_id=ORDER_ID, country="NL", tracking="NL-1"),
    "refund-payment": PaymentRefunded(order_id=ORDER_ID, amount_cents=100),
    "release-stock": StockReleased(order_id=ORDER_ID),
}


class Participants:
    """Engine and participants in one: each command gets its reply, unless that is silence."""

    def __init__(self, replies: dict[str, Event | None]) -> None:
        self._replies = GOOD_NEWS | replies
        self._sent: dict[str, str] = {}

    def __call__(self, asked: ActivityCall | EventWait) -> Any:
        if isinstance(asked, EventWait):
            return self._reply(self._sent[asked.name], asked.name, TimeoutError())
        if asked.name == "ask_participant":
            topic, command_id = asked.input["topic"], asked.input["command"]["id"]
            return self._reply(topic, command_id, activity_failed(f"no answer to {topic}"))
        if asked.name == "send_command":
            self._sent[asked.input["command"]["id"]] = asked.input["topic"]
        return asked.input

    def _reply(self, topic: str, command_id: str, silence: Exception) -> dict[str, Any]:
        reply = self._replies[topic]
        if reply is SILENCE:
            raise silence
        event = envelope(
            reply,
            id=derived_id(command_id, "reply"),
            source="participant",
            traceparent=None,
            causationid=command_id,
        )
        return event.model_dump(mode="json")


def start(style: Style) -> Fulfilment:
    return Fulfilment(
        style=style,
        placed=OrderPlaced(order_id=ORDER_ID, order=ORDER),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        patience=PATIENCE,
    )


@pytest.fixture(params=[Style.ORCHESTRATION, Style.HYBRID])
def run(request: pytest.FixtureRequest) -> Run:
    """Run the workflow of each style with these replies in place of the good ones."""
    style: Style = request.param
    workflow: Workflow[Fulfilment, OrderConfirmed | OrderCancelled] = (
        fulfil_order if style is Style.ORCHESTRATION else fulfil_order_hybrid
    )

    def run(
        replies: dict[str, Event | None] | None = None,
    ) -> Played[OrderConfirmed | OrderCancelled]:
        answer = Participants(replies or {})
        return play(workflow, start(style), answer, instance_id=str(ORDER_ID))

    return run


def questions(played: Played[Any]) -> list[dict[str, Any]]:
    """What participants were asked, in order, repetitions included."""
    return [call.input for call in played.calls("ask_participant") + played.calls("send_command")]


def topics(played: Played[Any]) -> list[str]:
    """The commands that were given, in order, each once."""
    return list(dict.fromkeys(question["topic"] for question in questions(played)))


def cancelled(failed_step: str, reason: str) -> OrderCancelled:
    return OrderCancelled(order_id=ORDER_ID, failed_step=failed_step, reason=reason)


def test_an_order_goes_from_stock_to_payment_to_shipment(run: Run) -> None:
    played = run()
    assert topics(played) == ["reserve-stock", "capture-payment", "dispatch-shipment"]
    assert [question["participant"] for question in questions(played)] == [
        "inventory",
        "payments",
        "shipping",
    ]
    assert played.result == OrderConfirmed(order_id=ORDER_ID)


def test_without_stock_there_is_nothing_to_undo(run: Run) -> None:
    played = run({"reserve-stock": StockRejected(order_id=ORDER_ID, reason="no tea")})
    assert topics(played) == ["reserve-stock"]
    assert played.result == cancelled("StockRejected", "no tea")


def test_a_declined_payment_releases_the_stock(run: Run) -> None:
    played = run({"capture-payment": PaymentDeclined(order_id=ORDER_ID, reason="no credit")})
    assert topics(played) == ["reserve-stock", "capture-payment", "release-stock"]
    assert played.result == cancelled("PaymentDeclined", "no credit")


def test_a_failed_shipment_undoes_the_last_step_first(run: Run) -> None:
    played = run({"dispatch-shipment": ShipmentFailed(order_id=ORDER_ID, reason="no carrier")})
    assert topics(played)[3:] == ["refund-payment", "release-stock"]
    assert played.result == cancelled("ShipmentFailed", "no carrier")


@pytest.mark.parametrize(
    ("silent", "undone"),
    [
        ("reserve-stock", ["release-stock"]),
        ("capture-payment", ["refund-payment", "release-stock"]),
    ],
)
def test_a_step_that_was_never_answered_may_have_been_done_and_is_undone_too(
    run: Run, silent: str, undone: list[str]
) -> None:
    played = run({silent: SILENCE})
    asked = topics(played)
    assert asked[asked.index(silent) + 1 :] == undone
    assert isinstance(played.result, OrderCancelled)
    assert played.result.failed_step == silent


def test_only_what_cannot_be_undone_is_waited_for_until_it_is_answered(run: Run) -> None:
    played = run({"dispatch-shipment": ShipmentFailed(order_id=ORDER_ID, reason="no carrier")})
    patience = {
        question["topic"]: timedelta(seconds=float(question["patience"][2:-1]))
        if question["patience"].endswith("S")
        else question["patience"]
        for question in questions(played)
    }
    assert patience["reserve-stock"] == patience["capture-payment"]


def test_every_command_says_where_its_reply_goes_and_continues_the_trace(run: Run) -> None:
    commands = [CloudEvent.model_validate(each["command"]) for each in questions(run())]
    assert {command.replyto for command in commands} == {"orders-replies"}
    assert {command.subject for command in commands} == {str(ORDER_ID)}
    assert {command.traceparent for command in commands} == {start(Style.HYBRID).traceparent}


def test_every_command_has_an_id_of_its_own(run: Run) -> None:
    played = run({"dispatch-shipment": ShipmentFailed(order_id=ORDER_ID, reason="no carrier")})
    assert len({question["command"]["id"] for question in questions(played)}) == 5


def test_a_replay_asks_exactly_the_same(run: Run) -> None:
    failure = {"dispatch-shipment": ShipmentFailed(order_id=ORDER_ID, reason="no carrier")}
    first, second = run(failure), run(failure)
    assert questions(first) == questions(second)
    assert [call.input for call in first.calls("end_order")] == [
        call.input for call in second.calls("end_order")
    ]


def test_the_end_is_recorded_and_published_last_and_once(run: Run) -> None:
    played = run()
    (ending,) = played.calls("end_order")
    assert ending.input["event"]["type"] == "order-confirmed.v1"
    assert played.asked[-1] == ending
