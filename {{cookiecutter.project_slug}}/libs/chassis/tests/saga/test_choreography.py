from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chassis.cloudevents import envelope
from chassis.errors import Unavailable
from chassis.messages import Message, topic_of
from chassis.saga import Choreography, Hybrid, State, Style
from chassis.unfinished import Page
from testkit import running
from testkit.trip_service import Trips
from testkit.trips import (
    TOUR,
    TRIP,
    TRIP_ID,
    DepositHeld,
    DepositRefused,
    RoomBooked,
    RoomConfirmed,
    RoomFreed,
    RoomRefused,
    TripPaid,
    VoucherSent,
    say,
)

NOW = datetime.now(UTC)
ALL = (RoomBooked, DepositHeld, TripPaid, VoucherSent, RoomConfirmed)


@pytest.fixture
async def trips() -> AsyncIterator[Trips]:
    trips = Trips()
    trips.sagas.run(Choreography(TRIP))
    async with running(trips):
        yield trips


async def deliver(trips: Trips, *messages: type[Message]) -> None:
    for message in messages:
        event = envelope(say(message), id=message.__name__, source="participant", traceparent=None)
        await trips.deliver(event, topic_of(message))


async def begin(trips: Trips) -> None:
    await trips.sagas.begin(TRIP, Style.CHOREOGRAPHY, say(TRIP.started_by))


async def test_what_starts_a_process_is_published_and_recorded(trips: Trips) -> None:
    await begin(trips)
    (event,) = trips.sent("trip-requested")
    assert (event.subject, event.source) == (TRIP_ID, "trips")
    progress = trips.progress()
    assert progress is not None
    assert (progress.style, progress.state) == (Style.CHOREOGRAPHY, State.RUNNING)


async def test_nothing_is_published_of_a_process_that_is_not_recorded(trips: Trips) -> None:
    trips.memory.failures = [Unavailable("the store is away")]
    with pytest.raises(Unavailable):
        await begin(trips)
    assert not trips.sent("trip-requested")


async def test_nothing_is_published_of_a_process_that_the_full_list_refuses(trips: Trips) -> None:
    trips.sagas.unfinished.max_pages = 0
    with pytest.raises(Unavailable, match="no other one begins"):
        await begin(trips)
    assert not trips.sent("trip-requested")
    assert trips.progress() is None


async def begin_in_vain(trips: Trips) -> None:
    trips.bus.failures = [Unavailable("the broker is away")]
    with pytest.raises(Unavailable):
        await begin(trips)


async def sweep(trips: Trips, after: timedelta = timedelta(seconds=15)) -> None:
    """As each replica does. The process seems to have begun so long ago."""
    progress = trips.progress()
    assert progress is not None
    assert progress.started_at is not None
    asked = tuple(replace(each, since=each.since - after, due=NOW) for each in progress.asked)
    trips.memory.put(
        f"process:{TRIP.name}:{TRIP_ID}",
        replace(progress, started_at=progress.started_at - after, asked=asked),
    )
    trips.sagas.unfinished.sweep_seconds = 0
    await trips.sagas.unfinished.sweep(trips.store, trips.clock.now())


async def test_a_start_that_could_not_be_published_is_published_by_a_sweep(trips: Trips) -> None:
    await begin_in_vain(trips)
    await sweep(trips)
    (event,) = trips.sent("trip-requested")
    assert (event.subject, event.source) == (TRIP_ID, "trips")
    assert event.data == say(TRIP.started_by).model_dump(mode="json")


async def test_a_start_is_published_again_as_it_was_until_somebody_replies(trips: Trips) -> None:
    await begin(trips)
    await sweep(trips)
    await sweep(trips)
    first, *others = trips.sent("trip-requested")
    assert [(each.id, each.type, each.data) for each in others] == [
        (first.id, first.type, first.data)
    ] * 2
    progress = trips.progress()
    assert progress is not None
    (retry,) = progress.retrying
    assert (retry.command, retry.participant, retry.attempts) == ("TripRequested", "rooms", 2)
    await deliver(trips, RoomBooked)
    progress = trips.progress()
    assert progress is not None
    assert (progress.retrying, progress.due) == ((), None)
    await sweep(trips)
    assert len(trips.sent("trip-requested")) == 3


async def test_a_start_is_not_published_again_when_participants_may_have_forgotten_it(
    trips: Trips,
) -> None:
    await begin(trips)
    await sweep(trips, after=timedelta(seconds=trips.settings.inbox_ttl_seconds))
    assert len(trips.sent("trip-requested")) == 1


async def test_replies_to_a_process_of_another_style_do_not_end_it() -> None:
    trips = Trips()
    trips.sagas.run(Choreography(TRIP), Hybrid(TRIP))
    async with running(trips):
        await trips.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by))
        await deliver(trips, RoomRefused)
    assert not trips.sent("trip-cancelled")


async def test_what_is_begun_is_published_once_however_often_it_is_asked_for(trips: Trips) -> None:
    """Participants forget an event after their inbox's TTL; a client may ask again after that."""
    await begin(trips)
    await begin(trips)
    assert len(trips.sent("trip-requested")) == 1


async def test_its_own_event_is_in_its_inbox_already(trips: Trips) -> None:
    await begin(trips)
    before = len(trips.memory.commits)
    (event,) = trips.sent("trip-requested")
    await trips.deliver(event, "trip-requested")
    assert len(trips.memory.commits) == before


async def test_all_events_complete_the_process(trips: Trips) -> None:
    await begin(trips)
    await deliver(trips, *ALL)
    (booked,) = trips.sent("trip-booked")
    assert booked.data == {"trip": TRIP_ID, "voucher": "v-1"}


@pytest.mark.parametrize("replies", [(DepositRefused, RoomFreed), (RoomFreed, DepositRefused)])
async def test_a_refusal_cancels_the_process_once_all_is_undone(
    trips: Trips, replies: tuple[type[Message], ...]
) -> None:
    await begin(trips)
    first, second = replies
    await deliver(trips, RoomBooked, first)
    assert not trips.sent("trip-cancelled")
    await deliver(trips, second)
    (cancelled,) = trips.sent("trip-cancelled")
    assert cancelled.data == {
        "trip": TRIP_ID,
        "guest": "ada",
        "failed_step": "HoldDeposit",
        "reason": "a reason of DepositRefused",
    }


async def test_a_process_does_not_end_before_its_start_is_known(trips: Trips) -> None:
    await deliver(trips, RoomRefused)
    assert not trips.sent("trip-cancelled")
    await begin(trips)
    assert len(trips.sent("trip-cancelled")) == 1


async def test_a_process_ends_once(trips: Trips) -> None:
    await begin(trips)
    await deliver(trips, *ALL, RoomRefused)
    assert not trips.sent("trip-cancelled")
    assert len(trips.sent("trip-booked")) == 1


async def test_a_reply_that_comes_before_its_start_is_kept_and_not_listed_until_then() -> None:
    trips = Trips()
    trips.sagas.run(Choreography(TRIP))
    async with running(trips):
        await deliver(trips, *ALL[1:])
        assert trips.memory.get(trips.sagas.unfinished.key, Page) is None
        await begin(trips)
        assert trips.memory.get(trips.sagas.unfinished.key, Page) is not None
        await deliver(trips, ALL[0])
    assert len(trips.sent("trip-booked")) == 1


async def test_replies_for_the_process_of_another_saga_are_forgotten_one_day() -> None:
    """Two sagas may share an event; what never begins here must not stay for ever."""
    trips = Trips()
    trips.sagas.run(Choreography(TOUR))
    async with running(trips):
        await deliver(trips, RoomBooked)
    record = next(
        write
        for writes in trips.memory.commits
        for write in writes
        if write.key.startswith("process:")
    )
    assert record.ttl_seconds == trips.settings.inbox_ttl_seconds


async def test_what_has_begun_is_never_forgotten(trips: Trips) -> None:
    await begin(trips)
    await deliver(trips, *ALL)
    records = [
        write
        for writes in trips.memory.commits
        for write in writes
        if write.key.startswith("process:")
    ]
    assert {record.ttl_seconds for record in records} == {None}
