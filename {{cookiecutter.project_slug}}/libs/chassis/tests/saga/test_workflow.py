"""The workflows, played without an engine: what they ask, and what they do about the answers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from chassis import CloudEvent, CommandRefused, derived_id, envelope
from chassis.messages import Message, topic_of
from chassis.saga import HybridWorkflow, Orchestration, Retry, Saga, Style
from chassis.saga.asking import Question, Start
from chassis.saga.declaration import MAX_REASON
from chassis.saga.manager import MAX_CAUSE
from chassis.saga.workflow import Ended, LeftAlone
from testkit import ActivityCall, EventWait, Played, activity_failed, play
from testkit.trips import (
    TOUR,
    TRIP,
    TRIP_ID,
    DepositHeld,
    DepositRefused,
    DepositReturned,
    GuideDismissed,
    PaymentRefused,
    RoomFreed,
    RoomRefused,
    TripCancelled,
    TripPaid,
    VoucherSent,
    say,
)

Outcome = Played[Ended]
Run = Callable[..., Outcome]
Reply = BaseModel | None

TIMEOUT = timedelta(minutes=2)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REFUSED = CommandRefused(subject=TRIP_ID, reason="it is unreadable")
NO_REPLY = None


def after(failures: int, reply: type[Message]) -> list[Reply]:
    """No reply so often, and then this one."""
    return [*[NO_REPLY] * failures, say(reply)]


class Participants:
    """Engine and participants in one: each command gets its reply, unless there is none.

    Of several replies each attempt gets the next one, and then the last one again.
    """

    def __init__(self, saga: Saga, replies: dict[str, Reply | list[Reply]]) -> None:
        done: dict[str, Reply] = {}
        for command, step in saga.commands.items():
            done[topic_of(command)] = say(step.done if command is step.command else step.undone)  # type: ignore[arg-type]
        self._replies = {
            topic: list(reply) if isinstance(reply, list) else [reply]
            for topic, reply in (done | replies).items()
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


def in_envelope(reply: Any, command_id: str) -> CloudEvent:
    if isinstance(reply, CloudEvent):
        return reply
    return envelope(
        reply, id=derived_id(command_id, "reply"), source="participant", traceparent=None
    )


RUNNERS = {
    (saga.name, style): kind(saga)
    for saga in (TRIP, TOUR)
    for style, kind in ((Style.ORCHESTRATION, Orchestration), (Style.HYBRID, HybridWorkflow))
}


def play_in(
    style: Style, answer: Callable[[ActivityCall | EventWait], Any], saga: Saga = TRIP
) -> Outcome:
    runner = RUNNERS[saga.name, style]
    (workflow,) = runner.workflows.workflows
    start = Start(
        style=style,
        app_id="trips",
        id=TRIP_ID,
        started=say(saga.started_by).model_dump(mode="json"),
        traceparent=TRACEPARENT,
        timeout=TIMEOUT,
        replyto=runner.saga.replies_topic,
    )
    return play(workflow, start, answer, instance_id=TRIP_ID)


@pytest.fixture(params=[Style.ORCHESTRATION, Style.HYBRID])
def style(request: pytest.FixtureRequest) -> Style:
    style: Style = request.param
    return style


def running(style: Style, saga: Saga) -> Run:
    def run(**replies: Any) -> Outcome:
        by_topic = {topic.replace("_", "-"): reply for topic, reply in replies.items()}
        return play_in(style, Participants(saga, by_topic), saga)

    return run


@pytest.fixture
def run(style: Style) -> Run:
    """Run the workflow of a trip with these replies in place of the good ones."""
    return running(style, TRIP)


@pytest.fixture
def tour(style: Style) -> Run:
    return running(style, TOUR)


def questions(played: Outcome, topic: str | None = None) -> list[Question]:
    """What participants were asked, in order, repetitions included."""
    calls = [
        each
        for each in played.asked
        if isinstance(each, ActivityCall) and each.name in ("ask_participant", "send_command")
    ]
    asked = [Question.model_validate(call.input) for call in calls]
    return [question for question in asked if topic in (None, question.topic)]


def topics(played: Outcome) -> list[str]:
    """The commands that were given, in order, each once."""
    return list(dict.fromkeys(question.topic for question in questions(played)))


def retries(played: Outcome) -> list[Retry]:
    """What the record of the process shows of what is being tried, in order."""
    return [retry for question in questions(played) for retry in question.retrying or ()]


def cancelled(played: Outcome) -> tuple[str | None, str | None]:
    """The step that failed, and why."""
    ended = played.result
    assert ended.event.type == topic_of(ended_by(ended)) + ".v1"
    if ended.failed_step is not None:
        assert ended.event.data["failed_step"] == ended.failed_step
        assert ended.event.data["reason"] == ended.reason
    return ended.failed_step, ended.reason


def ended_by(ended: Ended) -> type[Message]:
    saga = TRIP if ended.saga == TRIP.name else TOUR
    return saga.completed if ended.failed_step is None else saga.cancelled


COMPLETED = (None, None)


def test_one_step_after_the_other_and_then_it_is_completed(run: Run) -> None:
    played = run()
    assert [(question.topic, question.participant) for question in questions(played)] == [
        ("book-room", "rooms"),
        ("hold-deposit", "billing"),
        ("pay-trip", "billing"),
        ("send-voucher", "vouchers"),
        ("confirm-room", "rooms"),
    ]
    assert cancelled(played) == COMPLETED
    assert played.result.event.data == {"trip": TRIP_ID, "voucher": "v-1"}


def test_a_command_has_the_fields_of_earlier_replies(run: Run) -> None:
    (voucher,) = questions(run(), "send-voucher")
    assert voucher.command.data == {"trip": TRIP_ID, "room": "12", "receipt": "r-1"}


def test_the_end_says_what_started_the_process(run: Run) -> None:
    ended = run(book_room=say(RoomRefused)).result
    assert TripCancelled.model_validate(ended.event.data).guest == "ada"


def test_a_refusal_of_the_first_step_undoes_nothing(run: Run) -> None:
    played = run(book_room=say(RoomRefused, reason="full"))
    assert topics(played) == ["book-room"]
    assert cancelled(played) == ("BookRoom", "full")


def test_a_refusal_undoes_the_step_before_it(run: Run) -> None:
    played = run(hold_deposit=say(DepositRefused, reason="no credit"))
    assert topics(played) == ["book-room", "hold-deposit", "free-room"]
    assert cancelled(played) == ("HoldDeposit", "no credit")


def test_a_refusal_of_the_pivot_undoes_the_last_step_first(run: Run) -> None:
    played = run(pay_trip=say(PaymentRefused, reason="no money"))
    assert topics(played)[3:] == ["return-deposit", "free-room"]
    assert cancelled(played) == ("PayTrip", "no money")


def test_a_command_that_its_participant_refuses_fails_the_step_and_is_not_undone(run: Run) -> None:
    played = run(hold_deposit=REFUSED)
    assert topics(played)[1:] == ["hold-deposit", "free-room"]
    assert cancelled(played) == ("HoldDeposit", "it is unreadable")
    assert cancelled(run(pay_trip=REFUSED)) == ("PayTrip", "it is unreadable")


def test_a_step_that_is_not_answered_is_given_up_and_undone(run: Run) -> None:
    assert topics(run(book_room=NO_REPLY)) == ["book-room", "free-room"]
    played = run(hold_deposit=NO_REPLY)
    assert topics(played)[2:] == ["return-deposit", "free-room"]
    assert played.result.failed_step == "HoldDeposit"


@pytest.mark.parametrize("type", ["nobody-knows.v1", "room-freed.v1", "held"])
def test_a_reply_that_does_not_answer_the_command_is_none(run: Run, type: str) -> None:
    other = in_envelope(say(VoucherSent), "1").model_copy(update={"type": type})
    assert topics(run(hold_deposit=other))[2:] == ["return-deposit", "free-room"]


def test_a_step_is_asked_for_no_longer_than_its_timeout(run: Run) -> None:
    played = run(hold_deposit=NO_REPLY)
    asked = questions(played, "hold-deposit")
    (undo,) = questions(played, "return-deposit")
    assert len(asked) > 3
    assert undo.command.time - asked[0].command.time == TIMEOUT


def test_a_reply_of_a_version_that_nobody_reads_any_more_is_still_a_reply(run: Run) -> None:
    # It stands in a history, and the workflow has gone on after it.
    held = in_envelope(say(DepositHeld), "1")
    old = held.model_copy(update={"type": "deposit-held.v9"})
    assert cancelled(run(hold_deposit=old)) == COMPLETED


@pytest.mark.parametrize(
    ("topic", "reply"), [("pay_trip", TripPaid), ("send_voucher", VoucherSent)]
)
def test_a_pivot_and_a_retriable_step_are_asked_for_until_they_are_answered(
    run: Run, topic: str, reply: type[Message]
) -> None:
    played = run(**{topic: after(100, reply)})
    assert cancelled(played) == COMPLETED
    asked = questions(played, topic.replace("_", "-"))
    assert len(asked) == 101
    assert len({question.command.id for question in asked}) == 1


def test_a_retriable_step_that_is_refused_is_asked_for_as_another_command(run: Run) -> None:
    played = run(send_voucher=[REFUSED, REFUSED, say(VoucherSent)])
    assert len({question.command.id for question in questions(played, "send-voucher")}) == 3
    assert [retry.refused for retry in retries(played)] == [True, True]
    assert cancelled(played) == COMPLETED


def test_an_undo_that_nobody_answers_does_not_hold_back_the_earlier_ones(run: Run) -> None:
    played = run(pay_trip=say(PaymentRefused), return_deposit=after(50, DepositReturned))
    assert topics(played)[3:] == ["return-deposit", "free-room"]
    assert len(questions(played, "return-deposit")) == 51
    assert len(questions(played, "free-room")) == 1
    assert played.result.failed_step == "PayTrip"


def test_an_undo_that_is_answered_late_is_waited_for_before_the_earlier_ones(run: Run) -> None:
    played = run(pay_trip=say(PaymentRefused), return_deposit=after(2, DepositReturned))
    asked = [question.topic for question in questions(played)]
    assert asked[3:] == [*["return-deposit"] * 3, "free-room"]


def test_a_process_is_cancelled_only_once_everything_is_undone(run: Run) -> None:
    played = run(
        pay_trip=say(PaymentRefused),
        return_deposit=after(3, DepositReturned),
        free_room=after(5, RoomFreed),
    )
    (end,) = played.calls("record_end")
    assert played.asked[-1] is end
    assert len(questions(played, "free-room")) == 6


def test_an_undo_that_is_refused_is_asked_for_as_another_command(run: Run) -> None:
    played = run(hold_deposit=say(DepositRefused), free_room=[REFUSED, REFUSED, say(RoomFreed)])
    asked = questions(played, "free-room")
    assert len({question.command.id for question in asked}) == 3
    assert [retry.refused for retry in retries(played)] == [True, True]
    assert played.result.failed_step == "HoldDeposit"


def test_a_day_in_vain_is_no_more_than_forty_attempts(run: Run) -> None:
    played = run(hold_deposit=say(DepositRefused), free_room=after(40, RoomFreed))
    first = questions(played, "free-room")[0]
    assert played.result.event.time - first.command.time > timedelta(days=1)


def test_what_is_tried_again_is_shown_with_its_cause(run: Run) -> None:
    first, second = retries(run(pay_trip=after(2, TripPaid)))
    assert (first.command, first.participant, first.attempts) == ("PayTrip", "billing", 1)
    assert (second.attempts, second.since, second.refused) == (2, first.since, False)
    assert "repl" in first.cause or "answer" in first.cause


def test_nothing_is_shown_where_nothing_is_tried_again(run: Run) -> None:
    assert all(question.retrying is None for question in questions(run()))


def test_a_step_that_is_given_up_is_not_shown_any_more(run: Run) -> None:
    (undo,) = questions(run(hold_deposit=NO_REPLY), "return-deposit")
    assert undo.retrying == ()


def test_what_a_participant_says_has_a_bound_in_bytes(run: Run) -> None:
    long = "ä" * 10_000
    reason = run(book_room=say(RoomRefused, reason=long)).result.reason
    assert len((reason or "").encode()) <= MAX_REASON
    refused = CommandRefused(subject=TRIP_ID, reason=long)
    played = run(hold_deposit=say(DepositRefused), free_room=[refused, say(RoomFreed)])
    assert [len(retry.cause.encode()) <= MAX_CAUSE for retry in retries(played)] == [True]


def test_each_command_has_an_id_of_its_own(run: Run) -> None:
    commands = [question.command for question in questions(run(pay_trip=say(PaymentRefused)))]
    assert len({command.id for command in commands}) == 5


def test_each_command_says_where_its_reply_goes_and_continues_the_trace(run: Run) -> None:
    for question in questions(run()):
        assert question.command.replyto == "trip-requested-replies"
        assert question.command.subject == TRIP_ID
        assert question.command.traceparent == TRACEPARENT


def test_a_command_that_is_given_again_is_the_same_command(run: Run) -> None:
    played = run(hold_deposit=after(2, DepositHeld))
    first, second, third = questions(played, "hold-deposit")
    assert first.command == second.command == third.command
    assert [first.attempt, second.attempt, third.attempt] == [1, 2, 3]


def test_a_replay_asks_the_same_under_the_same_ids(run: Run, tour: Run) -> None:
    assert run(pay_trip=say(PaymentRefused)) == run(pay_trip=say(PaymentRefused))
    assert tour(hire_guide=REFUSED) == tour(hire_guide=REFUSED)


def test_the_end_is_recorded_once_and_last(run: Run) -> None:
    played = run()
    (end,) = played.calls("record_end")
    assert Ended.model_validate(end.input).event.type == "trip-booked.v1"
    assert played.asked[-1] is end


def test_the_end_is_recorded_however_long_that_takes(style: Style) -> None:
    class Store(Participants):
        failures = 100

        def __call__(self, asked: ActivityCall | EventWait) -> Any:
            if isinstance(asked, ActivityCall) and asked.name == "record_end" and self.failures:
                self.failures -= 1
                raise activity_failed("the store is away")
            return super().__call__(asked)

    assert len(play_in(style, Store(TRIP, {})).calls("record_end")) == 101


def test_the_steps_of_a_stage_are_asked_for_together_and_all_waited_for(tour: Run) -> None:
    played = tour(hold_deposit=after(3, DepositHeld))
    asked = [question.topic for question in questions(played)]
    assert asked == [
        "book-room",
        "hold-deposit",
        "hire-guide",
        *["hold-deposit"] * 3,
        "issue-ticket",
        "issue-badge",
    ]
    assert cancelled(played) == COMPLETED


def test_a_step_beside_the_refused_one_is_undone_too_and_then_the_earlier_ones(tour: Run) -> None:
    played = tour(hold_deposit=say(DepositRefused))
    assert topics(played)[3:] == ["dismiss-guide", "free-room"]
    assert played.result.failed_step == "HoldDeposit"


def test_undos_of_a_stage_are_asked_for_together(tour: Run) -> None:
    played = tour(hire_guide=NO_REPLY, dismiss_guide=after(2, GuideDismissed))
    assert topics(played)[3:5] == ["return-deposit", "dismiss-guide"]
    assert played.result.failed_step == "HireGuide"


def test_two_failures_of_one_stage_are_one_failure_that_of_the_first_step(tour: Run) -> None:
    played = tour(hold_deposit=say(DepositRefused), hire_guide=REFUSED)
    assert topics(played)[3:] == ["free-room"]
    assert played.result.failed_step == "HoldDeposit"


@pytest.mark.parametrize("kind", ["Rejected", "Unavailable"])
def test_an_error_of_anybody_in_between_is_no_refusal(kind: str) -> None:
    answer = Participants(TRIP, {})

    def in_between(asked: ActivityCall | EventWait) -> Any:
        if isinstance(asked, ActivityCall) and asked.input.get("topic") == "hold-deposit":
            raise activity_failed("HTTP 403: RBAC: access denied", kind)
        return answer(asked)

    played = play_in(Style.ORCHESTRATION, in_between)
    assert topics(played)[1:] == ["hold-deposit", "return-deposit", "free-room"]
    assert cancelled(played) == ("HoldDeposit", "HTTP 403: RBAC: access denied")


@pytest.mark.parametrize("activity", ["ask_participant", "send_command"])
@pytest.mark.parametrize("saga", [TRIP, TOUR], ids=lambda saga: saga.name)
def test_a_workflow_of_a_process_that_is_over_asks_for_nothing_more(
    activity: str, saga: Saga
) -> None:
    def over(asked: ActivityCall | EventWait) -> Any:
        assert isinstance(asked, ActivityCall)
        raise activity_failed("the process has ended", "Over")

    style = Style.ORCHESTRATION if activity == "ask_participant" else Style.HYBRID
    played = play_in(style, over, saga)
    result: BaseModel = played.result
    assert result == LeftAlone(id=TRIP_ID, why="the process has ended")
    assert [each.name for each in played.asked] == [activity]


def test_hybrid_takes_no_reply_but_the_one_to_the_command_that_it_waits_for() -> None:
    played = running(Style.HYBRID, TRIP)(hold_deposit=after(1, DepositHeld))
    waited_for = [asked.name for asked in played.asked if isinstance(asked, EventWait)]
    assert waited_for == [question.command.id for question in questions(played)]


def test_hybrid_takes_what_is_no_event_for_no_reply() -> None:
    answer = Participants(TRIP, {})

    def raised_by_hand(asked: ActivityCall | EventWait) -> Any:
        reply = answer(asked)
        is_deposit = isinstance(reply, dict) and reply.get("type") == "deposit-held.v1"
        return "go on!" if is_deposit else reply

    played = play_in(Style.HYBRID, raised_by_hand)
    assert topics(played)[2:] == ["return-deposit", "free-room"]


class BrokerAway(Participants):
    """It takes the command to hold the deposit, and says that it did not."""

    def __call__(self, asked: ActivityCall | EventWait) -> Any:
        answer = super().__call__(asked)
        if isinstance(asked, ActivityCall) and asked.input.get("topic") == "hold-deposit":
            raise activity_failed("the broker is away")
        return answer


def test_hybrid_takes_the_reply_to_a_command_that_seems_not_to_be_sent() -> None:
    assert cancelled(play_in(Style.HYBRID, BrokerAway(TRIP, {}))) == COMPLETED


def test_hybrid_undoes_a_step_whose_command_could_not_be_sent() -> None:
    played = play_in(Style.HYBRID, BrokerAway(TRIP, {"hold-deposit": NO_REPLY}))
    assert topics(played)[2:] == ["return-deposit", "free-room"]
    assert cancelled(played) == ("HoldDeposit", "the broker is away")
