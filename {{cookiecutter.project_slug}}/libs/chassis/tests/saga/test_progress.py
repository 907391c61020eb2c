import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from typing import Any, ClassVar

import pytest

from chassis.messages import Message
from chassis.saga import Progress, Retry, Saga, State, Style, undone
from chassis.saga.declaration import MAX_REASON
from chassis.saga.progress import (
    LAUNCH_AGAIN_AFTER,
    NEEDS_HUMAN_AFTER,
    START_AGAIN_AFTER,
    Asked,
    failure,
    is_cancelled,
    is_completed,
)
from chassis.saga.styles import Engine
from testkit.trips import (
    TOUR,
    TRIP,
    TRIP_ID,
    BadgeIssued,
    DepositHeld,
    DepositRefused,
    DepositReturned,
    GuideDismissed,
    GuideHired,
    PaymentRefused,
    RoomBooked,
    RoomConfirmed,
    RoomFreed,
    RoomRefused,
    TicketIssued,
    TripMessage,
    TripPaid,
    VoucherSent,
    say,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
EVERY_WAY = list(product(Style, (None, Engine.MANAGER, Engine.WORKFLOW)))

PAYING = Retry("PayTrip", "billing", 1, NOW, "HTTP 503")
FREEING = Retry("FreeRoom", "rooms", 3, NOW, "HTTP 503")

#: A saga, all replies that one of its processes gets, and the step that fails, if any.
Course = tuple[Saga, Sequence[type[Message]], str | None]
COURSES: dict[str, Course] = {
    "booked": (TRIP, [RoomBooked, DepositHeld, TripPaid, VoucherSent, RoomConfirmed], None),
    "no room": (TRIP, [RoomRefused], "BookRoom"),
    "no deposit": (TRIP, [RoomBooked, DepositRefused, RoomFreed], "HoldDeposit"),
    "not paid": (
        TRIP,
        [RoomBooked, DepositHeld, PaymentRefused, DepositReturned, RoomFreed],
        "PayTrip",
    ),
    "toured": (TOUR, [RoomBooked, DepositHeld, GuideHired, TicketIssued, BadgeIssued], None),
    "no deposit beside a guide": (
        TOUR,
        [RoomBooked, DepositRefused, GuideHired, GuideDismissed, RoomFreed],
        "HoldDeposit",
    ),
}
each_course = pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)


def end(saga: Saga, progress: Progress) -> Progress:
    """As choreography does it."""
    failed = failure(saga, progress)
    if progress.started is None:
        return progress
    if is_completed(saga, progress):
        return progress.end(State.COMPLETED, NOW)
    if failed is not None and is_cancelled(saga, progress):
        return progress.end(State.CANCELLED, NOW, failed.name, progress.why(failed))
    return progress


def after(saga: Saga, messages: Iterable[tuple[Message, datetime]]) -> Progress:
    """The process after these messages, ended as soon as its end is known."""
    progress = Progress(TRIP_ID)
    for message, at in messages:
        if isinstance(message, saga.started_by):
            data = message.model_dump(mode="json")
            progress = progress.start(data, None, at, None)
        else:
            progress = progress.record(saga, message, at)
        progress = end(saga, progress)
    return progress


def known(saga: Saga, *replies: type[Message]) -> Progress:
    return after(saga, [(say(reply), NOW) for reply in (saga.started_by, *replies)])


@each_course
def test_a_process_is_the_same_in_whatever_order_its_messages_arrive(course: Course) -> None:
    saga, replies, _ = course
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    clock = random.Random(seed)
    # Few different times, so that some are the same.
    messages = [
        (say(message), NOW + timedelta(seconds=clock.randrange(3)))
        for message in (saga.started_by, *replies)
    ]
    expected = after(saga, messages)
    assert expected.has_ended
    assert all(after(saga, arrival) == expected for arrival in permutations(messages))


@each_course
def test_a_process_ends_once_all_is_known(course: Course) -> None:
    saga, replies, failed_step = course
    assert known(saga, *replies[:-1]).state is State.RUNNING
    ended = known(saga, *replies)
    assert ended.state is (State.CANCELLED if failed_step else State.COMPLETED)
    assert ended.failed_step == failed_step


def test_a_cancelled_process_shows_the_step_the_reason_and_what_was_undone_in_order() -> None:
    replies = COURSES["not paid"][1]
    messages = [say(TRIP.started_by), *map(say, replies)]
    progress = after(
        TRIP, ((message, NOW + timedelta(seconds=n)) for n, message in enumerate(messages))
    )
    assert (progress.failed_step, progress.reason) == ("PayTrip", "a reason of PaymentRefused")
    assert undone(TRIP, progress) == ["DepositReturned", "RoomFreed"]


def test_a_reply_is_recorded_when_it_happened_not_when_it_arrived() -> None:
    progress = after(TRIP, [(say(DepositHeld), NOW + timedelta(seconds=1)), (say(RoomBooked), NOW)])
    assert [step.event for step in progress.steps] == ["RoomBooked", "DepositHeld"]


def test_the_first_end_stands() -> None:
    completed = known(TRIP).end(State.COMPLETED, NOW)
    later = completed.end(State.CANCELLED, NOW + timedelta(days=1), "BookRoom", "no room")
    assert later == completed


def test_the_first_start_stands() -> None:
    started = known(TRIP)
    assert started.start({"nights": 9}, None, NOW + timedelta(days=1), "trace") == started


def test_a_process_that_starts_late_keeps_the_replies_that_came_before() -> None:
    before = Progress(TRIP_ID).record(TRIP, say(RoomBooked), NOW)
    started = before.start({"guest": "ada"}, "trip-requested.v1", NOW, None)
    assert started == replace(
        before, started={"guest": "ada"}, started_type="trip-requested.v1", started_at=NOW
    )


@pytest.mark.parametrize(
    ("progress", "runs"),
    [
        (Progress(TRIP_ID, Style.CHOREOGRAPHY), {(Style.CHOREOGRAPHY, None)}),
        (Progress(TRIP_ID, Style.HYBRID, Engine.MANAGER), {(Style.HYBRID, Engine.MANAGER)}),
        (Progress(TRIP_ID, Style.HYBRID, Engine.WORKFLOW), {(Style.HYBRID, Engine.WORKFLOW)}),
        (Progress(TRIP_ID), set()),
    ],
)
def test_a_process_is_run_in_one_style_by_one_engine(
    progress: Progress, runs: set[tuple[Style, Engine | None]]
) -> None:
    assert {each for each in EVERY_WAY if progress.is_run_by(*each)} == runs


ASKED = Asked("BookRoom", since=NOW, due=NOW)


@pytest.mark.parametrize(
    ("progress", "runs"),
    [
        (Progress(TRIP_ID, Style.ORCHESTRATION), (Style.ORCHESTRATION, Engine.WORKFLOW)),
        (Progress(TRIP_ID, Style.HYBRID), (Style.HYBRID, Engine.WORKFLOW)),
        (Progress(TRIP_ID, Style.HYBRID, asked=(ASKED,)), (Style.HYBRID, Engine.MANAGER)),
    ],
)
def test_of_an_older_release_only_the_process_manager_has_asked(
    progress: Progress, runs: tuple[Style, Engine]
) -> None:
    assert [each for each in EVERY_WAY if progress.is_run_by(*each)] == [runs]


@pytest.mark.parametrize(
    ("progress", "after"),
    [
        (Progress(TRIP_ID, Style.CHOREOGRAPHY), LAUNCH_AGAIN_AFTER),
        (Progress(TRIP_ID, Style.ORCHESTRATION, Engine.WORKFLOW), START_AGAIN_AFTER),
    ],
)
def test_what_nobody_has_replied_to_is_due_soon_after_its_start(
    progress: Progress, after: timedelta
) -> None:
    started = progress.start({}, "trip-requested.v1", NOW, None)
    assert started.due == NOW + after
    assert started.record(TRIP, say(RoomBooked), NOW).due is None
    assert started.end(State.COMPLETED, NOW).due is None


class VoucherSentV1(TripMessage):
    topic: ClassVar[str] = "voucher-sent"
    version = 1


def test_each_version_of_a_reply_is_the_same_step() -> None:
    progress = known(TRIP, RoomBooked, DepositHeld, TripPaid, RoomConfirmed, VoucherSentV1)
    assert progress.state is State.COMPLETED
    assert {"VoucherSent"} == {s.event for s in progress.steps if s.event.startswith("Voucher")}


def test_a_reply_that_comes_again_and_again_is_one_step_the_earliest() -> None:
    progress = Progress(TRIP_ID)
    for seconds in random.sample(range(1_000), 1_000):
        progress = progress.record(TRIP, say(RoomBooked), NOW + timedelta(seconds=seconds))
    assert [(step.event, step.at) for step in progress.steps] == [("RoomBooked", NOW)]


def test_what_was_said_first_stands_for_the_commands_that_were_made_of_it() -> None:
    progress = known(TRIP, RoomBooked)
    again = progress.record(TRIP, say(RoomBooked, room="99"), NOW)
    assert again.said["RoomBooked"]["room"] == "12"


def test_no_more_is_kept_of_a_reply_than_a_later_command_takes() -> None:
    class Wordy(RoomBooked):
        story: str = "long"

    Wordy.__name__ = "RoomBooked"
    kept: dict[str, Any] = dict(Progress(TRIP_ID).record(TRIP, say(Wordy), NOW).said["RoomBooked"])
    assert kept == {"trip": TRIP_ID, "room": "12"}


def test_a_reason_has_a_bound_in_bytes() -> None:
    progress = Progress(TRIP_ID).record(TRIP, say(RoomRefused, reason="ä" * 100_000), NOW)
    assert len((progress.steps[0].reason or "").encode()) <= MAX_REASON


def test_a_step_that_is_answered_is_not_tried_again() -> None:
    progress = Progress(TRIP_ID).retry(TRIP, [PAYING, FREEING])
    assert progress.record(TRIP, say(PaymentRefused), NOW).retrying == (FREEING,)


def test_a_retry_that_is_recorded_after_its_answer_is_left_out() -> None:
    progress = Progress(TRIP_ID).record(TRIP, say(TripPaid), NOW)
    assert progress.retry(TRIP, [PAYING]).retrying == ()


def test_an_undo_is_tried_again_though_its_step_is_answered() -> None:
    progress = Progress(TRIP_ID).record(TRIP, say(RoomBooked), NOW)
    assert progress.retry(TRIP, [FREEING]).retrying == (FREEING,)


def test_nothing_of_a_process_that_has_ended_is_tried_again() -> None:
    ended = Progress(TRIP_ID).retry(TRIP, [PAYING]).end(State.COMPLETED, NOW)
    assert ended.retrying == ()
    assert ended.retry(TRIP, [PAYING]) == ended


def test_a_human_is_needed_after_a_while() -> None:
    assert not PAYING.needs_human(NOW + NEEDS_HUMAN_AFTER - timedelta(seconds=1))
    assert PAYING.needs_human(NOW + NEEDS_HUMAN_AFTER)


def test_a_human_is_needed_at_once_for_an_undo_that_is_refused() -> None:
    assert replace(FREEING, refused=True).needs_human(NOW)
