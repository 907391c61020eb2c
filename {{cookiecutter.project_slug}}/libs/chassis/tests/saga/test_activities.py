"""What the workflows have done: a participant asked, a reply recorded, an end published."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chassis import CloudEvent, CommandRefused, Unavailable, envelope, read
from chassis.errors import Over
from chassis.handlers import by_type
from chassis.messages import Message
from chassis.saga import HybridWorkflow, Orchestration, Progress, Retry, State, Style
from chassis.saga.asking import Question, Start
from chassis.saga.hybrid_workflow import send_command
from chassis.saga.orchestration import ask_participant
from chassis.saga.styles import Engine
from chassis.saga.workflow import Ended, record_end
from testkit import running
from testkit.ports import NoParticipants
from testkit.trip_service import Trips
from testkit.trips import (
    TRIP,
    TRIP_ID,
    BookRoom,
    DepositHeld,
    RoomBooked,
    TripBooked,
    TripCancelled,
    say,
)

WORKFLOW_ID = f"{TRIP.name}.{TRIP_ID}"
WORKFLOWS = [Style.ORCHESTRATION, Style.HYBRID]
COMMAND = envelope(say(BookRoom), id="1", source="trips", traceparent=None)
REPLY = envelope(say(RoomBooked), id="2", source="rooms", traceparent=None, causationid="1")
QUESTION = Question(
    saga=TRIP.name, name="BookRoom", participant="rooms", topic="book-room", command=COMMAND
)
RETRY = Retry("BookRoom", "rooms", 1, datetime(2030, 1, 1, tzinfo=UTC), "HTTP 503")
AGAIN = QUESTION.model_copy(update={"attempt": 2, "retrying": (RETRY,)})


class Rooms(NoParticipants):
    """Answers what it is asked with the one reply."""

    reply: CloudEvent | None = REPLY

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        assert (app_id, command, topic) == ("rooms", COMMAND, "book-room")
        if self.reply is None:
            raise Unavailable("HTTP 503")
        return self.reply


@pytest.fixture
async def trips() -> AsyncIterator[Trips]:
    trips = Trips(Rooms())
    trips.sagas.run(Orchestration(TRIP), HybridWorkflow(TRIP))
    async with running(trips):
        yield trips


def rooms(trips: Trips) -> Rooms:
    assert isinstance(trips.participants, Rooms)
    return trips.participants


def process(trips: Trips) -> Progress:
    progress = trips.progress()
    assert progress is not None
    return progress


def events(trips: Trips) -> list[str]:
    return [step.event for step in process(trips).steps]


def ended(end: Message, style: Style = Style.HYBRID, failed_step: str | None = None) -> Ended:
    return Ended(
        saga=TRIP.name,
        start=Start(
            style=style,
            app_id="trips",
            id=TRIP_ID,
            started=say(TRIP.started_by).model_dump(mode="json"),
            traceparent=None,
            timeout=timedelta(minutes=2),
            replyto="trip-requested-replies",
        ),
        event=envelope(end, id="end", source="trips", traceparent=None),
        failed_step=failed_step,
        reason="no room" if failed_step else None,
    )


@pytest.mark.parametrize("style", WORKFLOWS)
async def test_a_workflow_begins_under_its_saga_and_subject_and_its_process_is_known(
    trips: Trips, style: Style
) -> None:
    await trips.sagas.begin(TRIP, style, say(TRIP.started_by))
    assert trips.engine.begun == [(f"trip-requested-{style}", WORKFLOW_ID)]
    assert process(trips).style is style


@pytest.mark.parametrize("style", WORKFLOWS)
async def test_a_workflow_does_not_begin_again_once_its_process_is_known(
    trips: Trips, style: Style
) -> None:
    for _ in range(2):
        await trips.sagas.begin(TRIP, style, say(TRIP.started_by))
    assert len(trips.engine.begun) == 1


@pytest.mark.parametrize("style", WORKFLOWS)
async def test_no_workflow_begins_without_a_record_of_its_process(
    trips: Trips, style: Style
) -> None:
    trips.memory.failures = [Unavailable("the store is away")]
    with pytest.raises(Unavailable):
        await trips.sagas.begin(TRIP, style, say(TRIP.started_by))
    assert not trips.engine.begun


async def sweep(trips: Trips) -> None:
    """A while after the process has begun."""
    progress = process(trips)
    assert progress.started_at is not None
    earlier = progress.started_at - timedelta(seconds=75)
    trips.memory.put(f"process:{TRIP.name}:{TRIP_ID}", replace(progress, started_at=earlier))
    trips.sagas.unfinished.sweep_seconds = 0
    await trips.sagas.unfinished.sweep(trips.store, trips.clock.now())


@pytest.mark.parametrize("style", WORKFLOWS)
async def test_a_workflow_that_could_not_begin_is_begun_by_a_sweep(
    trips: Trips, style: Style
) -> None:
    trips.engine.failures = [ConnectionError("the engine is away")]
    with pytest.raises(ConnectionError):
        await trips.sagas.begin(TRIP, style, say(TRIP.started_by))
    trips.engine.begun.clear()
    await sweep(trips)
    assert trips.engine.begun == [(f"trip-requested-{style}", WORKFLOW_ID)]


@pytest.mark.parametrize("style", WORKFLOWS)
async def test_a_workflow_that_has_a_reply_is_not_begun_by_a_sweep(
    trips: Trips, style: Style
) -> None:
    await trips.sagas.begin(TRIP, style, say(TRIP.started_by))
    await trips.reply(RoomBooked)
    await sweep(trips)
    assert len(trips.engine.begun) == 1


PAYING = QUESTION.model_copy(update={"name": "PayTrip", "participant": "billing"})


async def test_what_is_not_of_the_first_stage_is_asked_without_a_look_at_the_record(
    trips: Trips,
) -> None:
    trips.memory.reads.clear()
    await send_command(PAYING, trips)
    assert not trips.memory.reads


async def test_a_workflow_whose_process_has_ended_asks_nobody(trips: Trips) -> None:
    await record_end(ended(say(TripBooked)), trips)
    for activity in (ask_participant, send_command):
        with pytest.raises(Over, match="has ended: completed"):
            await activity(QUESTION, trips)
    assert not trips.sent("book-room")


async def test_a_workflow_whose_process_runs_in_another_style_asks_nobody(trips: Trips) -> None:
    await trips.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by))
    with pytest.raises(Over, match="runs as hybrid, on workflow"):
        await ask_participant(QUESTION, trips)
    assert await send_command(QUESTION, trips) == QUESTION


@pytest.mark.parametrize("reply", [RoomBooked, CommandRefused(subject=TRIP_ID, reason="no")])
async def test_no_reply_to_the_process_manager_is_handed_to_a_workflow(
    trips: Trips, reply: type[Message] | Message
) -> None:
    trips.memory.put(
        f"process:{TRIP.name}:{TRIP_ID}", Progress(TRIP_ID, Style.HYBRID, Engine.MANAGER)
    )
    for _ in range(2):
        await trips.reply(reply)
    assert not trips.engine.raised
    assert events(trips) == (["RoomBooked"] if reply is RoomBooked else [])


@pytest.mark.parametrize("style", WORKFLOWS)
async def test_nor_once_a_reply_to_it_is_known(trips: Trips, style: Style) -> None:
    await trips.reply(RoomBooked)
    await trips.sagas.begin(TRIP, style, say(TRIP.started_by))
    assert trips.engine.begun == []
    assert events(trips) == ["RoomBooked"]


async def test_a_reply_over_pubsub_is_recorded_once_and_handed_over_each_time(
    trips: Trips,
) -> None:
    for _ in range(2):
        await trips.reply(RoomBooked, causationid="1")
    assert events(trips) == ["RoomBooked"]
    assert trips.engine.raised == [(WORKFLOW_ID, "1"), (WORKFLOW_ID, "1")]


HELD = envelope(say(DepositHeld), id="4", source="billing", traceparent=None, causationid="1")
TERSE = HELD.model_copy(update={"data": {"trip": TRIP_ID, "amount": 50}})


async def test_a_field_with_a_default_that_a_participant_leaves_out_is_in_the_history(
    trips: Trips,
) -> None:
    rooms(trips).reply = TERSE
    replied = await ask_participant(QUESTION, trips)
    await trips.deliver(TERSE, "trip-requested-replies")
    (raised,) = trips.engine.data
    for data in (replied.data, raised["data"]):
        assert data == {"trip": TRIP_ID, "amount": 50, "reason": "a deposit"}


async def test_a_refusal_over_pubsub_is_handed_over_and_is_no_step(trips: Trips) -> None:
    await trips.reply(CommandRefused(subject=TRIP_ID, reason="unreadable"))
    assert len(trips.engine.raised) == 1
    assert trips.progress() is None


async def test_a_command_is_published_as_it_is(trips: Trips) -> None:
    await send_command(QUESTION, trips)
    assert trips.sent("book-room") == [COMMAND]


async def test_a_reply_is_recorded_once_however_often_the_activity_runs(trips: Trips) -> None:
    for _ in range(2):
        assert await ask_participant(QUESTION, trips) == REPLY
    assert events(trips) == ["RoomBooked"]


async def test_a_refusal_is_returned_and_is_no_step(trips: Trips) -> None:
    refused = CommandRefused(subject=TRIP_ID, reason="unreadable")
    rooms(trips).reply = envelope(refused, id="3", source="rooms", traceparent=None)
    assert await ask_participant(QUESTION, trips) == rooms(trips).reply
    assert trips.progress() is None


@pytest.mark.parametrize("type", ["room-booked.v9", "nobody-knows.v1"])
async def test_a_reply_that_cannot_be_read_is_no_refusal(trips: Trips, type: str) -> None:
    rooms(trips).reply = REPLY.model_copy(update={"type": type})
    with pytest.raises(Unavailable, match="not readable"):
        await ask_participant(QUESTION, trips)


async def test_an_attempt_that_fails_leaves_in_the_record_why_it_was_made(trips: Trips) -> None:
    rooms(trips).reply = None
    with pytest.raises(Unavailable):
        await ask_participant(AGAIN, trips)
    assert process(trips).retrying == (RETRY,)


async def test_a_command_that_is_sent_again_leaves_in_the_record_why(trips: Trips) -> None:
    await send_command(AGAIN, trips)
    assert process(trips).retrying == (RETRY,)


async def test_the_reply_clears_what_was_tried_again(trips: Trips) -> None:
    await ask_participant(AGAIN, trips)
    assert process(trips).retrying == ()


async def test_a_first_attempt_writes_nothing_but_its_reply(trips: Trips) -> None:
    await ask_participant(QUESTION, trips)
    written = [write.key for writes in trips.memory.commits for write in writes]
    assert len([key for key in written if key.startswith("process:")]) == 1


async def test_a_participant_is_asked_though_the_record_cannot_be_written(trips: Trips) -> None:
    trips.memory.failures = [Unavailable("the store is away")]
    assert await ask_participant(AGAIN, trips) == REPLY


async def test_a_further_attempt_is_logged_with_its_cause(
    trips: Trips, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await ask_participant(AGAIN, trips)
    (line,) = [each.getMessage() for each in caplog.records if each.name == "chassis.saga.workflow"]
    assert line == (
        "rooms is asked again for BookRoom: attempt 2, since 2030-01-01T00:00:00+00:00: HTTP 503"
    )


@pytest.mark.parametrize("style", WORKFLOWS)
async def test_the_end_is_recorded_and_published(trips: Trips, style: Style) -> None:
    await record_end(ended(say(TripBooked), style), trips)
    assert process(trips).state is State.COMPLETED
    (published,) = trips.sent("trip-booked")
    assert read(published, by_type(TripBooked)) == say(TripBooked)


async def test_the_end_makes_up_for_a_process_that_was_never_recorded(trips: Trips) -> None:
    end = say(TripCancelled, failed_step="BookRoom")
    await record_end(ended(end, failed_step="BookRoom"), trips)
    progress = process(trips)
    assert progress.started == {"trip": TRIP_ID, "guest": "ada", "nights": 2}
    assert (progress.style, progress.failed_step) == (Style.HYBRID, "BookRoom")
    assert progress.reason == "no room"


async def test_an_end_that_cannot_be_recorded_is_no_refusal(trips: Trips) -> None:
    end = ended(say(TripBooked))
    unreadable = end.event.model_copy(update={"type": "trip-booked.v9"})
    with pytest.raises(Unavailable, match="the end is not recorded"):
        await record_end(end.model_copy(update={"event": unreadable}), trips)


async def test_an_end_that_runs_again_is_published_under_the_same_id(trips: Trips) -> None:
    for _ in range(2):
        await record_end(ended(say(TripBooked)), trips)
    first, second = trips.sent("trip-booked")
    assert first == second
