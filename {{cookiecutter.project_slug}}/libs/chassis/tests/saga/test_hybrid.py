import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from chassis import CommandRefused
from chassis.cloudevents import CloudEvent, derived_id
from chassis.errors import Unavailable, Unsent
from chassis.messages import Message
from chassis.saga import Hybrid, Orchestration, Progress, Saga, State, Step, Style
from chassis.transaction import adapter
from chassis.unfinished import SWEPT
from testkit import running
from testkit.trip_service import Trips
from testkit.trips import (
    TRIP,
    TRIP_ID,
    DepositHeld,
    DepositRefused,
    PaymentRefused,
    RoomBooked,
    RoomConfirmed,
    RoomFreed,
    TripMessage,
    TripPaid,
    VoucherSent,
    say,
)

REQUESTED = say(TRIP.started_by)
ALL = (RoomBooked, DepositHeld, TripPaid, VoucherSent, RoomConfirmed)


@pytest.fixture
async def trips() -> AsyncIterator[Trips]:
    trips = Trips()
    trips.sagas.run(Hybrid(TRIP))
    async with running(trips):
        yield trips


async def begin(trips: Trips) -> None:
    await trips.sagas.begin(TRIP, Style.HYBRID, REQUESTED)


async def sweep(trips: Trips) -> None:
    """As each replica does, a while after the last one."""
    trips.sagas.unfinished.sweep_seconds = 0
    await trips.sagas.unfinished.sweep(trips.store, datetime.now(UTC))


def record(trips: Trips, change: Callable[[dict[str, Any]], None]) -> None:
    """As if the record of the process had been written otherwise."""
    progress = trips.progress()
    assert progress is not None
    content = adapter(Progress).dump_python(progress, mode="python")
    change(content)
    trips.memory.put(f"process:{TRIP.name}:{TRIP_ID}", adapter(Progress).validate_python(content))


def make_late(trips: Trips, by: timedelta) -> None:
    """As if all that is asked for had been asked for so long ago."""

    def earlier(content: dict[str, Any]) -> None:
        for asked in content["asked"]:
            asked["since"] -= by
            asked["due"] -= by

    record(trips, earlier)


async def test_record_list_and_inbox_are_one_commit_before_the_process_is_accepted(
    trips: Trips,
) -> None:
    await begin(trips)
    key = f"process:{TRIP.name}:{TRIP_ID}"
    (writes,) = [each for each in trips.memory.commits if key in {write.key for write in each}]
    assert sorted(write.key.partition(":")[0] for write in writes) == [
        "inbox",
        "process",
        "unfinished",
        "unfinished",
    ]


async def test_what_was_begun_and_could_not_be_published_is_given_by_a_sweep(trips: Trips) -> None:
    trips.bus.failures = [Unavailable("the broker is away")]
    with pytest.raises(Unsent):
        await begin(trips)
    make_late(trips, timedelta(minutes=1))
    await sweep(trips)
    assert len(trips.sent("book-room")) == 1


async def test_record_inbox_and_next_command_are_one_commit(trips: Trips) -> None:
    await begin(trips)
    before = len(trips.memory.commits)
    await trips.reply(RoomBooked)
    (writes,) = trips.memory.commits[before:]
    assert sorted(write.key.partition(":")[0] for write in writes) == ["inbox", "process"]
    assert len(trips.sent("hold-deposit")) == 1


async def test_a_process_that_is_not_committed_gives_no_command(trips: Trips) -> None:
    trips.memory.failures = [Unavailable("the store is away")]
    with pytest.raises(Unavailable):
        await begin(trips)
    assert not trips.sent("book-room")


async def test_a_command_says_where_its_reply_goes_and_has_a_derived_id(trips: Trips) -> None:
    await begin(trips)
    (command,) = trips.sent("book-room")
    assert command.replyto == "trip-requested-replies"
    assert command.subject == TRIP_ID
    assert command.source == "trips"
    assert command.id == derived_id("trip-requested", TRIP_ID, "book-room")


async def test_a_command_that_could_not_be_published_is_published_when_its_cause_comes_again(
    trips: Trips,
) -> None:
    await begin(trips)
    trips.bus.failures = [Unavailable("the broker is away")]
    with pytest.raises(Unsent):
        await trips.reply(RoomBooked)
    await trips.reply(RoomBooked)
    assert len(trips.sent("hold-deposit")) == 1


async def test_all_replies_complete_the_process(trips: Trips) -> None:
    await begin(trips)
    await trips.reply(*ALL)
    (booked,) = trips.sent("trip-booked")
    assert booked.data == {"trip": TRIP_ID, "voucher": "v-1"}
    progress = trips.progress()
    assert progress is not None
    assert progress.state is State.COMPLETED


async def test_a_refusal_cancels_the_process_once_all_is_undone(trips: Trips) -> None:
    await begin(trips)
    await trips.reply(RoomBooked, DepositRefused)
    assert not trips.sent("trip-cancelled")
    await trips.reply(RoomFreed)
    (cancelled,) = trips.sent("trip-cancelled")
    assert cancelled.data["failed_step"] == "HoldDeposit"


async def test_beginning_twice_is_one_process_and_one_command(trips: Trips) -> None:
    await begin(trips)
    await begin(trips)
    assert len({event.id for event in trips.sent("book-room")}) == 1


async def test_a_refused_command_fails_the_step(trips: Trips) -> None:
    await begin(trips)
    (command,) = trips.sent("book-room")
    refused = CommandRefused(subject=TRIP_ID, reason="unreadable")
    await trips.reply(refused, causationid=command.id)
    (cancelled,) = trips.sent("trip-cancelled")
    assert cancelled.data["reason"] == "unreadable"


async def test_a_refusal_of_another_command_is_none(trips: Trips) -> None:
    await begin(trips)
    await trips.reply(CommandRefused(subject=TRIP_ID, reason="no"), causationid="another")
    assert not trips.sent("trip-cancelled")


async def test_a_refusal_of_an_unknown_process_begins_none(trips: Trips) -> None:
    await trips.reply(CommandRefused(subject=TRIP_ID, reason="no"), causationid="another")
    assert trips.progress() is None


async def test_an_undo_that_is_refused_is_given_again_under_another_id(trips: Trips) -> None:
    await begin(trips)
    await trips.reply(RoomBooked, DepositRefused)
    (undo,) = trips.sent("free-room")
    await trips.reply(CommandRefused(subject=TRIP_ID, reason="no"), causationid=undo.id)
    make_late(trips, timedelta(minutes=1))
    await sweep(trips)
    first, second = trips.sent("free-room")
    assert first.id != second.id
    assert first.data == second.data


async def test_a_sweep_gives_again_what_is_late_under_its_id(trips: Trips) -> None:
    await begin(trips)
    make_late(trips, timedelta(minutes=1))
    await sweep(trips)
    first, second = trips.sent("book-room")
    assert same(first) == same(second)


def same(command: CloudEvent) -> tuple[str, str, object]:
    return command.id, command.source, command.data


async def test_a_sweep_gives_up_what_was_waited_for_too_long(trips: Trips) -> None:
    await begin(trips)
    make_late(trips, trips.settings.step_timeout)
    await sweep(trips)
    assert len(trips.sent("free-room")) == 1


async def test_a_sweep_that_finds_nothing_late_leaves_the_process_as_it_is(trips: Trips) -> None:
    await begin(trips)
    before = len(trips.memory.commits)
    await sweep(trips)
    written = {write.key for writes in trips.memory.commits[before:] for write in writes}
    assert written == {SWEPT}


async def test_two_replicas_that_sweep_at_once_give_a_late_command_once(trips: Trips) -> None:
    other = Trips(memory=trips.memory, bus=trips.bus)
    other.sagas.run(Hybrid(TRIP))
    async with running(other):
        await begin(trips)
        make_late(trips, timedelta(minutes=1))
        await asyncio.gather(sweep(trips), sweep(other))
    assert len({event.id for event in trips.sent("book-room")}) == 1
    progress = trips.progress()
    assert progress is not None
    assert [asked.attempts for asked in progress.asked] == [2]


async def test_a_look_that_fails_is_made_again_in_the_next_sweep(trips: Trips) -> None:
    await begin(trips)
    make_late(trips, timedelta(minutes=1))
    trips.memory.failures = [Unavailable("the store is away")]
    await sweep(trips)
    assert len(trips.sent("book-room")) == 1
    await sweep(trips)
    assert len(trips.sent("book-room")) == 2


async def test_a_process_that_was_begun_in_another_style_is_left_to_it() -> None:
    trips = Trips()
    trips.sagas.run(Orchestration(TRIP), Hybrid(TRIP))
    async with running(trips):
        await trips.sagas.begin(TRIP, Style.ORCHESTRATION, REQUESTED)
        await begin(trips)
        await sweep(trips)
    assert trips.sent("book-room") == []


async def test_an_undo_that_cannot_be_made_is_sent_as_it_is_and_made_again_after_an_upgrade(
    trips: Trips,
) -> None:
    await begin(trips)
    await trips.reply(RoomBooked, DepositHeld)
    record(trips, lambda content: content["said"]["RoomBooked"].update(room=12))
    await trips.reply(PaymentRefused)
    (undo,) = trips.sent("return-deposit")
    assert undo.data["room"] == 12
    await trips.reply(CommandRefused(subject=TRIP_ID, reason="room: a text"), causationid=undo.id)
    progress = trips.progress()
    assert progress is not None
    assert [each.command for each in progress.retrying] == ["ReturnDeposit"]
    # As a release does that knows what the older one has recorded.
    record(trips, lambda content: content["said"]["RoomBooked"].update(room="12"))
    make_late(trips, timedelta(minutes=1))
    await sweep(trips)
    again = trips.sent("return-deposit")[-1]
    assert again.data["room"] == "12"
    assert again.id != undo.id


async def test_a_command_says_what_was_said_and_not_the_defaults_of_its_class() -> None:
    """A default of the next release must not change a command between two attempts."""

    class Pack(TripMessage):
        done: ClassVar[type[Message]] = RoomConfirmed

        guest: str
        bags: int = 1

    class Packed(TripMessage):
        pass

    saga = Saga(
        started_by=TRIP.started_by,
        steps=(Step(Pack, at="rooms"),),
        completed=Packed,
        cancelled=TRIP.cancelled,
    )
    trips = Trips()
    trips.sagas.run(Hybrid(saga))
    async with running(trips):
        await trips.sagas.begin(saga, Style.HYBRID, REQUESTED)
    (command,) = trips.sent("pack")
    assert command.data == {"trip": TRIP_ID, "guest": "ada"}
