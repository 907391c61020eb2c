from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from chassis import timers as module
from chassis.timers import MAX_UNKNOWN, UNKNOWN_SECONDS, Tick, Timers


class Jobs:
    def __init__(self) -> None:
        self.running: dict[str, timedelta] = {}

    async def schedule(self, name: str, every: timedelta) -> None:
        self.running[name] = every

    async def delete(self, name: str) -> None:
        self.running.pop(name, None)


class Process:
    """What each tick finds."""

    tick = Tick.GO_ON

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def due(self, id: str) -> Tick:
        self.ids.append(id)
        return self.tick


@pytest.fixture
def app() -> FastAPI:
    return FastAPI()


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
async def timers(app: FastAPI, jobs: Jobs, process: Process) -> Timers:
    timers = Timers(app, jobs)
    timers.on("trip", process.due)
    await timers.start("trip", "a.b", timedelta(seconds=15))
    return timers


async def tick(app: FastAPI, name: str = "trip.a.b") -> int:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return (await client.post(f"/job/{name}")).status_code


async def test_a_timer_is_a_job_that_calls_with_the_id_of_its_process(
    app: FastAPI, timers: Timers, jobs: Jobs, process: Process
) -> None:
    assert jobs.running == {"trip.a.b": timedelta(seconds=15)}
    assert await tick(app) == 200
    assert process.ids == ["a.b"]
    assert jobs.running


async def test_a_timer_that_is_stopped_is_no_job_any_more(timers: Timers, jobs: Jobs) -> None:
    await timers.stop("trip", "a.b")
    assert jobs.running == {}


async def test_a_tick_of_what_is_over_stops_the_timer(
    app: FastAPI, timers: Timers, jobs: Jobs, process: Process
) -> None:
    process.tick = Tick.OVER
    await tick(app)
    assert jobs.running == {}


async def test_a_tick_of_what_is_unknown_stops_the_timer_only_when_it_never_began(
    timers: Timers, jobs: Jobs, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.tick = Tick.UNKNOWN
    await timers._call("trip.a.b")
    assert jobs.running
    monkeypatch.setattr(module, "UNKNOWN_SECONDS", 0.0)
    await timers._call("trip.a.b")
    assert jobs.running == {}


async def test_a_slow_begin_is_not_taken_for_one_that_never_began() -> None:
    # It takes at most twice the time of a handler, which is 20 s unless a setting says otherwise.
    assert UNKNOWN_SECONDS >= 10 * 2 * 20


async def test_what_was_unknown_and_began_is_not_counted_as_unknown_any_more(
    timers: Timers, jobs: Jobs, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.tick = Tick.UNKNOWN
    await timers._call("trip.a.b")
    process.tick = Tick.GO_ON
    await timers._call("trip.a.b")
    assert not timers._unknown_since


async def test_what_is_unknown_is_remembered_within_a_bound(
    timers: Timers, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UNKNOWN", 10)
    process.tick = Tick.UNKNOWN
    for number in range(20):
        await timers._call(f"trip.{number}")
    assert len(timers._unknown_since) == 10
    assert MAX_UNKNOWN > 10


async def test_a_timer_of_another_version_is_left_alone(
    app: FastAPI, timers: Timers, jobs: Jobs
) -> None:
    await timers.start("tour", "1", timedelta(seconds=15))
    assert await tick(app, "tour.1") == 200
    assert "tour.1" in jobs.running


def test_two_timers_of_one_kind_are_refused(app: FastAPI, jobs: Jobs, process: Process) -> None:
    timers = Timers(app, jobs)
    timers.on("trip", process.due)
    with pytest.raises(ValueError, match="there is a timer trip"):
        timers.on("trip", process.due)
