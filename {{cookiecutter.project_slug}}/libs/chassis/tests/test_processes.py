from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
from pydantic import BaseModel

from chassis.errors import Rejected
from chassis.processes import ProcessAccepted, begin, look_up
from chassis.saga import Choreography, Hybrid, Style
from testkit import running
from testkit.trip_service import Trips
from testkit.trips import TRIP, TRIP_ID, RoomBooked, TripRequested, say


class Request(BaseModel):
    nights: int = 2
    guest: str = "ada"


@pytest.fixture
async def trips() -> AsyncIterator[Trips]:
    trips = Trips()
    trips.sagas.run(Choreography(TRIP), Hybrid(TRIP))
    trips.records(ProcessAccepted)
    async with running(trips):
        yield trips


async def ask(trips: Trips, key: str = "1", style: Style = Style.HYBRID, nights: int = 2) -> Style:
    started = TripRequested(trip=TRIP_ID, guest="ada", nights=nights)
    return (await begin(trips, TRIP, key, Request(nights=nights), style, started)).style


async def test_a_request_begins_its_process(trips: Trips) -> None:
    assert await ask(trips) is Style.HYBRID
    process = await look_up(trips, TRIP, TRIP_ID)
    assert process is not None
    assert (process.id, process.style, process.state) == (TRIP_ID, Style.HYBRID, "running")
    assert process.started == {"trip": TRIP_ID, "guest": "ada", "nights": 2}


async def test_the_same_request_under_one_key_begins_one_process(trips: Trips) -> None:
    for _ in range(2):
        await ask(trips, style=Style.CHOREOGRAPHY)
    assert len(trips.sent("trip-requested")) == 1


async def test_another_request_under_the_same_key_is_refused(trips: Trips) -> None:
    await ask(trips)
    with pytest.raises(Rejected, match="used before"):
        await ask(trips, nights=3)


async def test_what_was_accepted_first_stands_though_a_default_has_changed(trips: Trips) -> None:
    started = TripRequested(trip=TRIP_ID, guest="ada", nights=2)
    await begin(trips, TRIP, "1", Request(), Style.HYBRID, started)
    again = await begin(trips, TRIP, "1", Request(), Style.CHOREOGRAPHY, started)
    assert again.style is Style.HYBRID
    assert not trips.sent("trip-requested")


async def test_the_id_that_was_accepted_first_stands(trips: Trips) -> None:
    for id in ("first", "second"):
        started = TripRequested(trip=id, guest="ada", nights=2)
        accepted = await begin(trips, TRIP, "1", Request(), Style.HYBRID, started)
        assert accepted.id == "first"
    assert await look_up(trips, TRIP, "second") is None


async def test_a_style_that_does_not_run_is_refused_and_uses_up_no_key(trips: Trips) -> None:
    with pytest.raises(Rejected, match="choose choreography or hybrid"):
        await ask(trips, style=Style.ORCHESTRATION)
    assert await ask(trips, style=Style.CHOREOGRAPHY) is Style.CHOREOGRAPHY


async def test_a_key_of_a_start_that_nobody_reads_any_more_is_refused(trips: Trips) -> None:
    class Old(TripRequested):
        topic: ClassVar[str] = "trip-asked"

    started = Old(trip=TRIP_ID, guest="ada", nights=2)
    with pytest.raises(Rejected, match=r"a trip-asked\.v1, which is not read any more"):
        await begin(trips, TRIP, "1", Request(), Style.HYBRID, started)


async def test_a_process_that_nobody_began_is_not_found(trips: Trips) -> None:
    assert await look_up(trips, TRIP, TRIP_ID) is None


async def test_a_process_of_which_only_replies_are_known_is_not_found_yet(trips: Trips) -> None:
    await trips.reply(say(RoomBooked))
    assert await look_up(trips, TRIP, TRIP_ID) is None
