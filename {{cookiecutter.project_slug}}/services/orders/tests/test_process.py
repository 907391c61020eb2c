"""The workflows, played without an engine: what they ask, and what they do about the answers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chassis import derived_id, envelope
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
from orders.domain import Style
from orders.hybrid import fulfil_order_hybrid
from orders.orchestration import fulfil_order
from orders.process import UNTIL_ANSWERED, Ending, Fulfilment, NoAnswer, Question
from orders.settings import settings

Outcome = Played[OrderConfirmed | OrderCancelled]
Run = Callable[..., Outcome]

ORDER = order_of()
PATIENCE = timedelta(minutes=2)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

CAPTURED = PaymentCaptured(order_id=ORDER_ID, order=ORDER, amount_cents=100)
REJECTED = StockRejected(order_id=ORDER_ID, reason="no tea")
DECLINED = PaymentDeclined(order_id=ORDER_ID, reason="no credit")
NOT_SHIPPED = ShipmentFailed(order_id=ORDER_ID, reason="no carrier")
SILENCE = None

GOOD_NEWS: dict[str, Event | None] = {
    "reserve-stock": StockReserved(order_id=ORDER_ID, order=ORDER),
    "capture-payment": CAPTURED,
    "dispatch-shipment": ShipmentDispatched(order_id=ORDER_ID, country="NL", tracking="NL-1"),
    "refund-payment": PaymentRefunded(order_id=ORDER_ID, amount_cents=100),
    "release-stock": StockReleased(order_id=ORDER_ID),
}


class Participants:
    """Engine and participants in one: each command gets its reply, unless that is silence.

    A late reply misses as many waits as `misses` says.
    """

    def __init__(self, replies: dict[str, Event | None], misses: int) -> None:
        self._replies = GOOD_NEWS | replies
        self._misses = misses
        self._sent: dict[str, str] = {}

    def __call__(self, asked: ActivityCall | EventWait) -> Any:
        if isinstance(asked, EventWait):
            if self._misses:
                self._misses -= 1
                raise TimeoutError
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
            reply, id=derived_id(command_id, "reply"), source="participant", traceparent=None
        )
        return event.model_dump(mode="json")


def start(style: Style) -> Fulfilment:
    return Fulfilment(
        style=style,
        placed=OrderPlaced(order_id=ORDER_ID, order=ORDER),
        traceparent=TRACEPARENT,
        patience=PATIENCE,
    )


def run_in(style: Style, replies: dict[str, Event | None], misses: int = 0) -> Outcome:
    workflow = fulfil_order if style is Style.ORCHESTRATION else fulfil_order_hybrid
    answer = Participants(replies, misses)
    return play(workflow, start(style), answer, instance_id=str(ORDER_ID))


@pytest.fixture(params=[Style.ORCHESTRATION, Style.HYBRID])
def run(request: pytest.FixtureRequest) -> Run:
    """Run the workflow of each style with these replies in place of the good news."""
    style: Style = request.param
    return lambda **replies: run_in(
        style, {topic.replace("_", "-"): reply for topic, reply in replies.items()}
    )


def questions(played: Outcome) -> list[Question]:
    """What participants were asked, in order, repetitions included."""
    calls = played.calls("ask_participant") + played.calls("send_command")
    return [Question.model_validate(call.input) for call in calls]


def topics(played: Outcome) -> list[str]:
    """The commands that were given, in order, each once."""
    return list(dict.fromkeys(question.topic for question in questions(played)))


def cancelled(failed_step: str, reason: str) -> OrderCancelled:
    return OrderCancelled(order_id=ORDER_ID, failed_step=failed_step, reason=reason)


def test_an_order_goes_from_stock_to_payment_to_shipment(run: Run) -> None:
    played = run()
    assert [(question.topic, question.participant) for question in questions(played)] == [
        ("reserve-stock", "inventory"),
        ("capture-payment", "payments"),
        ("dispatch-shipment", "shipping"),
    ]
    assert played.result == OrderConfirmed(order_id=ORDER_ID)


def test_without_stock_there_is_nothing_to_undo(run: Run) -> None:
    played = run(reserve_stock=REJECTED)
    assert topics(played) == ["reserve-stock"]
    assert played.result == cancelled("StockRejected", "no tea")


def test_a_declined_payment_releases_the_stock(run: Run) -> None:
    played = run(capture_payment=DECLINED)
    assert topics(played) == ["reserve-stock", "capture-payment", "release-stock"]
    assert played.result == cancelled("PaymentDeclined", "no credit")


def test_a_failed_shipment_undoes_the_last_step_first(run: Run) -> None:
    played = run(dispatch_shipment=NOT_SHIPPED)
    assert topics(played)[3:] == ["refund-payment", "release-stock"]
    assert played.result == cancelled("ShipmentFailed", "no carrier")


def test_stock_that_was_never_answered_for_is_released_all_the_same(run: Run) -> None:
    played = run(reserve_stock=SILENCE)
    assert topics(played) == ["reserve-stock", "release-stock"]
    assert isinstance(played.result, OrderCancelled)
    assert played.result.failed_step == "reserve-stock"


def test_a_payment_that_was_never_answered_for_is_refunded_all_the_same(run: Run) -> None:
    played = run(capture_payment=SILENCE)
    assert topics(played)[2:] == ["refund-payment", "release-stock"]
    assert isinstance(played.result, OrderCancelled)
    assert played.result.failed_step == "capture-payment"


def test_what_cannot_be_undone_is_waited_for_much_longer(run: Run) -> None:
    played = run(dispatch_shipment=NOT_SHIPPED)
    assert {question.topic: question.patience for question in questions(played)} == {
        "reserve-stock": PATIENCE,
        "capture-payment": PATIENCE,
        "dispatch-shipment": UNTIL_ANSWERED,
        "refund-payment": UNTIL_ANSWERED,
        "release-stock": UNTIL_ANSWERED,
    }


@pytest.mark.parametrize("last", ["dispatch_shipment", "release_stock"])
def test_what_cannot_be_undone_and_is_never_answered_fails_the_workflow(
    run: Run, last: str
) -> None:
    with pytest.raises(NoAnswer, match=last.replace("_", "-")):
        run(capture_payment=DECLINED if last == "release_stock" else CAPTURED, **{last: SILENCE})


def test_each_command_has_an_id_of_its_own(run: Run) -> None:
    commands = [question.command for question in questions(run(dispatch_shipment=NOT_SHIPPED))]
    assert len({command.id for command in commands}) == 5


def test_each_command_says_where_its_reply_goes_and_continues_the_trace(run: Run) -> None:
    for question in questions(run()):
        assert question.command.replyto == settings.replies_topic
        assert question.command.subject == str(ORDER_ID)
        assert question.command.traceparent == TRACEPARENT


def test_a_replay_asks_the_same_under_the_same_ids(run: Run) -> None:
    first, replay = run(dispatch_shipment=NOT_SHIPPED), run(dispatch_shipment=NOT_SHIPPED)
    assert first == replay


def test_the_end_is_recorded_once_and_last(run: Run) -> None:
    played = run()
    (end,) = played.calls("end_order")
    assert Ending.model_validate(end.input).event.type == "order-confirmed.v1"
    assert played.asked[-1] is end


def test_orchestration_does_not_undo_what_a_participant_refused_to_take() -> None:
    def refuse(asked: ActivityCall | EventWait) -> Any:
        if isinstance(asked, ActivityCall) and asked.name == "ask_participant":
            raise activity_failed("HTTP 422", "Rejected")
        return asked.input if isinstance(asked, ActivityCall) else None

    played = play(fulfil_order, start(Style.ORCHESTRATION), refuse)
    assert topics(played) == ["reserve-stock"]
    assert played.result == cancelled("reserve-stock", "HTTP 422")


def test_hybrid_asks_again_with_the_same_command_when_no_reply_comes() -> None:
    played = run_in(Style.HYBRID, {}, misses=2)
    asked = questions(played)
    assert [question.topic for question in asked[:4]] == [*["reserve-stock"] * 3, "capture-payment"]
    assert asked[0] == asked[1] == asked[2]
    assert played.result == OrderConfirmed(order_id=ORDER_ID)


def test_hybrid_takes_no_reply_but_the_one_to_the_command_that_it_waits_for() -> None:
    played = run_in(Style.HYBRID, {}, misses=1)
    waited_for = [asked.name for asked in played.asked if isinstance(asked, EventWait)]
    assert waited_for == [question.command.id for question in questions(played)]


def test_hybrid_undoes_a_step_whose_command_could_not_be_sent() -> None:
    answer = Participants({}, misses=0)

    def broker_goes_away(asked: ActivityCall | EventWait) -> Any:
        if isinstance(asked, ActivityCall) and asked.input.get("topic") == "capture-payment":
            raise activity_failed("the broker is away")
        return answer(asked)

    played = play(fulfil_order_hybrid, start(Style.HYBRID), broker_goes_away)
    assert topics(played)[1:] == ["capture-payment", "refund-payment", "release-stock"]
    assert played.result == cancelled("capture-payment", "the broker is away")
