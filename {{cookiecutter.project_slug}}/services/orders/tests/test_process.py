"""The workflows, played without an engine: what they ask, and what they do about the answers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from orders.asking import MAX_CAUSE, MAX_REASON, Fulfilment, Question
from orders.domain import Retry, Style
from orders.hybrid import fulfil_order_hybrid
from orders.orchestration import fulfil_order
from orders.process import Ending

from chassis import CloudEvent, CommandRefused, derived_id, envelope
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
from orders.settings import settings

Outcome = Played[OrderConfirmed | OrderCancelled]
Run = Callable[..., Outcome]
Reply = Event | CommandRefused | CloudEvent | None

ORDER = order_of()
PATIENCE = timedelta(minutes=2)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

REJECTED = StockRejected(order_id=ORDER_ID, reason="no tea")
DECLINED = PaymentDeclined(order_id=ORDER_ID, reason="no credit")
NOT_SHIPPED = ShipmentFailed(order_id=ORDER_ID, reason="no carrier")
DISPATCHED = ShipmentDispatched(order_id=ORDER_ID, country="NL", tracking="NL-1")
REFUSED = CommandRefused(subject=str(ORDER_ID), reason="it is unreadable")
REFUNDED = PaymentRefunded(order_id=ORDER_ID, amount_cents=100)
RELEASED = StockReleased(order_id=ORDER_ID)
NO_REPLY = None

GOOD_NEWS: dict[str, Reply] = {
    "reserve-stock": StockReserved(order_id=ORDER_ID, order=ORDER),
    "capture-payment": PaymentCaptured(order_id=ORDER_ID, order=ORDER, amount_cents=100),
    "dispatch-shipment": DISPATCHED,
    "refund-payment": REFUNDED,
    "release-stock": RELEASED,
}


def after(failures: int, reply: Event) -> list[Reply]:
    """No reply so often, and then this one."""
    return [*[NO_REPLY] * failures, reply]


class Participants:
    """Engine and participants in one: each command gets its reply, unless there is none.

    Of several replies each attempt gets the next one, and then the last one again.
    """

    def __init__(self, replies: dict[str, Reply | list[Reply]]) -> None:
        self._replies = {
            topic: list(reply) if isinstance(reply, list) else [reply]
            for topic, reply in (GOOD_NEWS | replies).items()
        }
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

    def _reply(self, topic: str, command_id: str, no_reply: Exception) -> dict[str, Any]:
        replies = self._replies[topic]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply is None:
            raise no_reply
        return in_envelope(reply, command_id).model_dump(mode="json")


def in_envelope(reply: Event | CommandRefused | CloudEvent, command_id: str) -> CloudEvent:
    if isinstance(reply, CloudEvent):
        return reply
    return envelope(
        reply, id=derived_id(command_id, "reply"), source="participant", traceparent=None
    )


def start(style: Style) -> Fulfilment:
    return Fulfilment(
        style=style,
        placed=OrderPlaced(order_id=ORDER_ID, order=ORDER),
        traceparent=TRACEPARENT,
        patience=PATIENCE,
    )


def run_in(style: Style, replies: dict[str, Any]) -> Outcome:
    workflow = fulfil_order if style is Style.ORCHESTRATION else fulfil_order_hybrid
    return play(workflow, start(style), Participants(replies), instance_id=str(ORDER_ID))


@pytest.fixture(params=[Style.ORCHESTRATION, Style.HYBRID])
def run(request: pytest.FixtureRequest) -> Run:
    """Run the workflow of each style with these replies in place of the good news."""
    style: Style = request.param
    return lambda **replies: run_in(
        style, {topic.replace("_", "-"): reply for topic, reply in replies.items()}
    )


def questions(played: Outcome, topic: str | None = None) -> list[Question]:
    """What participants were asked, in order, repetitions included."""
    calls = played.calls("ask_participant") + played.calls("send_command")
    asked = [Question.model_validate(call.input) for call in calls]
    return [question for question in asked if topic in (None, question.topic)]


def topics(played: Outcome) -> list[str]:
    """The commands that were given, in order, each once."""
    return list(dict.fromkeys(question.topic for question in questions(played)))


def retries(played: Outcome) -> list[Retry]:
    """What the order was told of what is being tried, in order."""
    return [retry for question in questions(played) for retry in question.retrying or ()]


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


def test_a_step_that_its_participant_refused_is_not_undone(run: Run) -> None:
    played = run(capture_payment=REFUSED)
    assert topics(played)[1:] == ["capture-payment", "release-stock"]
    assert played.result == cancelled("PaymentDeclined", "it is unreadable")


def test_a_refused_shipment_undoes_what_was_done_before(run: Run) -> None:
    played = run(dispatch_shipment=REFUSED)
    assert topics(played)[3:] == ["refund-payment", "release-stock"]
    assert played.result == cancelled("ShipmentFailed", "it is unreadable")


def test_stock_that_was_never_answered_for_is_released_all_the_same(run: Run) -> None:
    played = run(reserve_stock=NO_REPLY)
    assert topics(played) == ["reserve-stock", "release-stock"]
    assert isinstance(played.result, OrderCancelled)


def test_a_payment_that_was_never_answered_for_is_refunded_all_the_same(run: Run) -> None:
    played = run(capture_payment=NO_REPLY)
    assert topics(played)[2:] == ["refund-payment", "release-stock"]
    assert isinstance(played.result, OrderCancelled)


def test_a_failed_step_has_one_name_whatever_the_cause(run: Run) -> None:
    for reply in (DECLINED, REFUSED, NO_REPLY):
        end = run(capture_payment=reply).result
        assert isinstance(end, OrderCancelled)
        assert end.failed_step == "PaymentDeclined"


@pytest.mark.parametrize("type", ["nobody-knows.v1", "stock-released.v1", "captured"])
def test_a_reply_that_does_not_answer_the_command_is_none(run: Run, type: str) -> None:
    other = in_envelope(DISPATCHED, "1").model_copy(update={"type": type})
    played = run(capture_payment=other)
    assert topics(played)[2:] == ["refund-payment", "release-stock"]


def test_a_step_is_asked_for_no_longer_than_its_patience(run: Run) -> None:
    played = run(capture_payment=NO_REPLY)
    asked = questions(played, "capture-payment")
    (refund,) = questions(played, "refund-payment")
    assert len(asked) > 3
    assert refund.command.time - asked[0].command.time == PATIENCE


def test_a_reply_of_a_version_that_nobody_reads_any_more_is_still_a_reply(run: Run) -> None:
    # It stands in a history, and the workflow has gone on after it.
    captured = GOOD_NEWS["capture-payment"]
    assert isinstance(captured, PaymentCaptured)
    old = in_envelope(captured, "1").model_copy(
        update={"type": "payment-captured.v9", "data": {"of old": "content"}}
    )
    assert run(capture_payment=old).result == OrderConfirmed(order_id=ORDER_ID)


def test_a_shipment_is_asked_for_until_it_is_answered(run: Run) -> None:
    played = run(dispatch_shipment=after(500, DISPATCHED))
    assert played.result == OrderConfirmed(order_id=ORDER_ID)
    asked = questions(played, "dispatch-shipment")
    assert len(asked) == 501
    assert len({question.command.id for question in asked}) == 1


def test_an_undo_that_nobody_answers_does_not_hold_up_the_others(run: Run) -> None:
    played = run(dispatch_shipment=NOT_SHIPPED, refund_payment=after(50, REFUNDED))
    assert topics(played)[3:] == ["refund-payment", "release-stock"]
    assert len(questions(played, "refund-payment")) == 51
    assert len(questions(played, "release-stock")) == 1
    assert played.result == cancelled("ShipmentFailed", "no carrier")


def test_an_undo_that_is_answered_late_is_waited_for_before_the_next_one(run: Run) -> None:
    played = run(dispatch_shipment=NOT_SHIPPED, refund_payment=after(2, REFUNDED))
    asked = [question.topic for question in questions(played)]
    assert asked[3:] == [*["refund-payment"] * 3, "release-stock"]


def test_an_order_is_cancelled_only_once_everything_is_undone(run: Run) -> None:
    played = run(
        dispatch_shipment=NOT_SHIPPED,
        refund_payment=after(3, REFUNDED),
        release_stock=after(5, RELEASED),
    )
    (end,) = played.calls("end_order")
    assert played.asked[-1] is end
    assert len(questions(played, "release-stock")) == 6


def test_an_undo_that_is_refused_is_not_done_and_is_asked_for_as_another_command(
    run: Run,
) -> None:
    played = run(capture_payment=DECLINED, release_stock=[REFUSED, REFUSED, RELEASED])
    asked = questions(played, "release-stock")
    assert len({question.command.id for question in asked}) == 3
    assert [retry.refused for retry in retries(played)] == [True, True]
    assert played.result == cancelled("PaymentDeclined", "no credit")


def test_a_day_in_vain_is_no_more_than_forty_attempts(run: Run) -> None:
    played = run(capture_payment=DECLINED, release_stock=after(40, RELEASED))
    (end,) = played.calls("end_order")
    first = questions(played, "release-stock")[0]
    assert Ending.model_validate(end.input).event.time - first.command.time > timedelta(days=1)


def test_the_order_is_told_what_is_tried_again_and_why(run: Run) -> None:
    played = run(dispatch_shipment=after(2, DISPATCHED))
    first, second = retries(played)
    assert (first.step, first.participant, first.attempts) == ("DispatchShipment", "shipping", 1)
    assert (second.attempts, second.since, second.refused) == (2, first.since, False)
    assert "repl" in first.cause or "answer" in first.cause


def test_an_order_of_which_nothing_is_tried_again_is_told_nothing(run: Run) -> None:
    assert all(question.retrying is None for question in questions(run()))


def test_the_order_is_told_when_a_step_is_given_up(run: Run) -> None:
    (refund,) = questions(run(capture_payment=NO_REPLY), "refund-payment")
    assert refund.retrying == ()


def test_what_a_participant_says_is_cut(run: Run) -> None:
    long = "ä" * 10_000
    end = run(reserve_stock=StockRejected(order_id=ORDER_ID, reason=long)).result
    assert isinstance(end, OrderCancelled)
    assert len(end.reason.encode()) <= MAX_REASON
    refused = CommandRefused(subject=str(ORDER_ID), reason=long)
    played = run(capture_payment=DECLINED, release_stock=[refused, RELEASED])
    assert [len(retry.cause.encode()) <= MAX_CAUSE for retry in retries(played)] == [True]


def test_each_command_has_an_id_of_its_own(run: Run) -> None:
    commands = [question.command for question in questions(run(dispatch_shipment=NOT_SHIPPED))]
    assert len({command.id for command in commands}) == 5


def test_each_command_says_where_its_reply_goes_and_continues_the_trace(run: Run) -> None:
    for question in questions(run()):
        assert question.command.replyto == settings.replies_topic
        assert question.command.subject == str(ORDER_ID)
        assert question.command.traceparent == TRACEPARENT


def test_a_command_that_is_sent_again_is_the_same_command(run: Run) -> None:
    played = run(capture_payment=[NO_REPLY, NO_REPLY, GOOD_NEWS["capture-payment"]])
    first, second, third = questions(played, "capture-payment")
    assert first.command == second.command == third.command
    assert [first.attempt, second.attempt, third.attempt] == [1, 2, 3]


def test_a_replay_asks_the_same_under_the_same_ids(run: Run) -> None:
    first, replay = run(dispatch_shipment=NOT_SHIPPED), run(dispatch_shipment=NOT_SHIPPED)
    assert first == replay


def test_the_end_is_recorded_once_and_last(run: Run) -> None:
    played = run()
    (end,) = played.calls("end_order")
    assert Ending.model_validate(end.input).event.type == "order-confirmed.v1"
    assert played.asked[-1] is end


def test_the_end_is_recorded_however_long_that_takes(run: Run) -> None:
    class Store(Participants):
        failures = 200

        def __call__(self, asked: ActivityCall | EventWait) -> Any:
            if isinstance(asked, ActivityCall) and asked.name == "end_order" and self.failures:
                self.failures -= 1
                raise activity_failed("the store is away")
            return super().__call__(asked)

    played = play(fulfil_order, start(Style.ORCHESTRATION), Store({}))
    assert len(played.calls("end_order")) == 201


@pytest.mark.parametrize("kind", ["Rejected", "Unavailable"])
def test_an_error_of_anybody_in_between_is_no_refusal(kind: str) -> None:
    answer = Participants({})

    def in_between(asked: ActivityCall | EventWait) -> Any:
        if isinstance(asked, ActivityCall) and asked.input.get("topic") == "capture-payment":
            raise activity_failed("HTTP 403: RBAC: access denied", kind)
        return answer(asked)

    played = play(fulfil_order, start(Style.ORCHESTRATION), in_between)
    assert topics(played)[1:] == ["capture-payment", "refund-payment", "release-stock"]
    assert played.result == cancelled("PaymentDeclined", "HTTP 403: RBAC: access denied")


def test_hybrid_takes_no_reply_but_the_one_to_the_command_that_it_waits_for() -> None:
    played = run_in(Style.HYBRID, {"reserve-stock": [NO_REPLY, GOOD_NEWS["reserve-stock"]]})
    waited_for = [asked.name for asked in played.asked if isinstance(asked, EventWait)]
    assert waited_for == [question.command.id for question in questions(played)]


def test_hybrid_takes_what_is_no_event_for_no_reply() -> None:
    answer = Participants({})

    def raised_by_hand(asked: ActivityCall | EventWait) -> Any:
        reply = answer(asked)
        is_payment = isinstance(reply, dict) and reply.get("type") == "payment-captured.v1"
        return "go on!" if is_payment else reply

    played = play(fulfil_order_hybrid, start(Style.HYBRID), raised_by_hand)
    assert topics(played)[2:] == ["refund-payment", "release-stock"]


class BrokerAway(Participants):
    """It takes the command to capture the payment, and says that it did not."""

    def __call__(self, asked: ActivityCall | EventWait) -> Any:
        answer = super().__call__(asked)
        if isinstance(asked, ActivityCall) and asked.input.get("topic") == "capture-payment":
            raise activity_failed("the broker is away")
        return answer


def test_hybrid_takes_the_reply_to_a_command_that_seems_not_to_be_sent() -> None:
    played = play(fulfil_order_hybrid, start(Style.HYBRID), BrokerAway({}))
    assert played.result == OrderConfirmed(order_id=ORDER_ID)


def test_hybrid_undoes_a_step_whose_command_could_not_be_sent() -> None:
    away = BrokerAway({"capture-payment": NO_REPLY})
    played = play(fulfil_order_hybrid, start(Style.HYBRID), away)
    assert topics(played)[2:] == ["refund-payment", "release-stock"]
    assert played.result == cancelled("PaymentDeclined", "the broker is away")
