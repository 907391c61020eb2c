"""What an operator sees of the processes that have not ended."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis.messages import Message
from chassis.saga import Hybrid, Progress, Retry, State, Style
from chassis.saga.progress import Asked, retries
from chassis.saga.styles import Engine
from chassis.saga.views import Phase, Summary
from testkit import running
from testkit.trip_service import Trips
from testkit.trips import TRIP, TRIP_ID, DepositRefused, RoomBooked, say

NOW = datetime.now(UTC)
HYBRID = Progress(TRIP_ID, Style.HYBRID, Engine.MANAGER)


@pytest.fixture
def trips() -> Trips:
    trips = Trips()
    trips.sagas.run(Hybrid(TRIP))
    trips.sagas.unfinished.page = 2
    return trips


@pytest.fixture
async def client(trips: Trips) -> AsyncIterator[httpx.AsyncClient]:
    async with running(trips) as client:
        yield client


async def begin(trips: Trips, *ids: str) -> None:
    for id in ids:
        await trips.sagas.begin(TRIP, Style.HYBRID, say(TRIP.started_by, trip=id))


async def listed(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    """Of all pages."""
    found: list[dict[str, Any]] = []
    page: dict[str, str] | None = params
    while page is not None:
        answer = (await client.get("/processes", params=page)).json()
        found += answer["processes"]
        following = answer["next_page"]
        page = None if following is None else params | {"page": following}
    return found


async def test_what_has_begun_is_listed_page_by_page(
    trips: Trips, client: httpx.AsyncClient
) -> None:
    await begin(trips, *"12345")
    rows = await listed(client)
    assert sorted(row["id"] for row in rows) == list("12345")
    (row,) = (row for row in rows if row["id"] == "1")
    assert row == {
        "saga": "trip-requested",
        "id": "1",
        "style": "hybrid",
        "state": "running",
        "age_seconds": row["age_seconds"],
        "waits_for": ["BookRoom"],
        "cause": None,
    }


async def test_what_has_ended_is_not_listed(trips: Trips, client: httpx.AsyncClient) -> None:
    await begin(trips, TRIP_ID)
    progress = trips.progress()
    assert progress is not None
    put(trips, progress.end(State.COMPLETED, NOW))
    assert await listed(client) == []
    shown = (await client.get(f"/processes/trip-requested/{TRIP_ID}")).json()
    assert shown["state"] == "completed"


def put(trips: Trips, record: object) -> None:
    trips.memory.put(f"process:trip-requested:{TRIP_ID}", record)


async def test_the_list_is_that_of_a_state_and_an_age(
    trips: Trips, client: httpx.AsyncClient
) -> None:
    await begin(trips, TRIP_ID)
    assert len(await listed(client, state="running", older="0s")) == 1
    assert await listed(client, state="stuck") == []
    assert await listed(client, older="1h") == []


@pytest.mark.parametrize("wrong", [{"older": "soon"}, {"state": "happy"}, {"page": "../1"}])
async def test_a_wrong_question_is_refused(
    client: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    assert (await client.get("/processes", params=wrong)).status_code == 422


async def test_a_page_that_is_gone_says_to_begin_again(client: httpx.AsyncClient) -> None:
    answer = await client.get("/processes", params={"page": "0" * 12})
    assert answer.status_code == 410
    assert "begin with the first page again" in answer.json()["detail"]


async def test_what_this_release_cannot_run_or_read_is_stuck(
    trips: Trips, client: httpx.AsyncClient
) -> None:
    await begin(trips, TRIP_ID)
    put(trips, replace(HYBRID, engine=Engine.WORKFLOW))
    (row,) = await listed(client, state="stuck")
    assert "which this release of trips does not" in row["cause"]
    put(trips, ["of a later release"])
    (row,) = await listed(client, state="stuck")
    assert (row["id"], row["cause"]) == (TRIP_ID, "its record cannot be read")


async def test_a_process_that_nobody_began_is_not_found(client: httpx.AsyncClient) -> None:
    for path in ("trip-requested/nobody", "no-saga/1"):
        assert (await client.get(f"/processes/{path}")).status_code == 404


async def test_who_begins_no_process_has_no_such_list() -> None:
    async with running(Trips()) as client:
        assert (await client.get("/processes")).status_code == 404


def summary(progress: Progress, since: datetime = NOW) -> Summary:
    return Summary.of(TRIP, progress, int(since.timestamp()), NOW)


def after(*replies: type[Message]) -> Progress:
    progress = HYBRID
    for reply in replies:
        progress = progress.record(TRIP, say(reply), NOW)
    return progress


RETRY = Retry("BookRoom", "rooms", 2, NOW, "HTTP 503")
LONG_AGO = NOW - timedelta(minutes=20)


@pytest.mark.parametrize(
    ("progress", "since", "state", "waits_for", "cause"),
    [
        (after(), NOW, Phase.RUNNING, ["BookRoom"], None),
        (after(RoomBooked), LONG_AGO, Phase.RUNNING, ["HoldDeposit"], None),
        (
            after(RoomBooked, DepositRefused),
            NOW,
            Phase.COMPENSATING,
            ["FreeRoom"],
            "a reason of DepositRefused",
        ),
        (replace(HYBRID, retrying=(RETRY,)), NOW, Phase.RETRYING, ["BookRoom"], "HTTP 503"),
        (
            replace(HYBRID, retrying=(replace(RETRY, refused=True),)),
            NOW,
            Phase.STUCK,
            ["BookRoom"],
            "HTTP 503",
        ),
        (after(), LONG_AGO, Phase.STUCK, ["BookRoom"], None),
    ],
)
def test_a_state_says_what_a_process_is_about(
    progress: Progress, since: datetime, state: Phase, waits_for: list[str], cause: str | None
) -> None:
    seen = summary(progress, since)
    assert (seen.state, list(seen.waits_for), seen.cause) == (state, waits_for, cause)


def test_a_summary_has_a_bound_in_bytes() -> None:
    retry = replace(RETRY, cause="ä" * 10_000)
    assert len(summary(replace(HYBRID, retrying=(retry,))).model_dump_json()) < 700


@pytest.mark.parametrize(("seconds", "shown"), [(-1, []), (0, ["no reply in 12 s"])])
def test_what_is_due_to_be_tried_again_is_shown_before_the_sweep_has_done_it(
    seconds: int, shown: list[str]
) -> None:
    asked = Asked("BookRoom", since=NOW - timedelta(seconds=12), due=NOW)
    progress = replace(HYBRID, asked=(asked,))
    again = retries(TRIP, progress, NOW + timedelta(seconds=seconds))
    assert [(each.participant, each.cause) for each in again] == [("rooms", each) for each in shown]
