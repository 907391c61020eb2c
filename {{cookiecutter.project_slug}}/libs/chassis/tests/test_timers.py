import json
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from chassis.ports import CLOCK
from chassis.timers import Timers

NAME = "trip.a.b"


class Jobs:
    def __init__(self) -> None:
        self.scheduled: dict[str, tuple[timedelta, bytes]] = {}

    async def schedule(self, name: str, every: timedelta, data: bytes) -> None:
        self.scheduled[name] = every, data

    async def delete(self, name: str) -> None:
        self.scheduled.pop(name, None)


class Process:
    """What each tick finds."""

    goes_on = True

    def __init__(self) -> None:
        self.ticks: list[tuple[str, timedelta]] = []

    async def due(self, id: str, age: timedelta) -> bool:
        self.ticks.append((id, age))
        return self.goes_on


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
    timers = Timers(app, jobs, CLOCK)
    timers.on("trip", process.due)
    await timers.start("trip", "a.b", timedelta(seconds=15))
    return timers


async def tick(app: FastAPI, data: bytes, name: str = NAME) -> int:
    """As the sidecar calls, with what the job carries."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return (await client.post(f"/job/{name}", json=json.loads(data))).status_code


async def test_a_timer_is_a_job_that_calls_with_the_id_of_its_process_and_its_age(
    app: FastAPI, timers: Timers, jobs: Jobs, process: Process
) -> None:
    every, data = jobs.scheduled[NAME]
    assert every == timedelta(seconds=15)
    assert await tick(app, data) == 200
    ((id, age),) = process.ticks
    assert id == "a.b"
    assert timedelta() <= age < timedelta(minutes=1)
    assert NAME in jobs.scheduled


async def test_a_timer_that_is_stopped_is_no_job_any_more(timers: Timers, jobs: Jobs) -> None:
    await timers.stop("trip", "a.b")
    assert jobs.scheduled == {}


async def test_a_tick_that_has_nothing_to_do_any_more_stops_the_timer(
    app: FastAPI, timers: Timers, jobs: Jobs, process: Process
) -> None:
    process.goes_on = False
    await tick(app, jobs.scheduled[NAME][1])
    assert jobs.scheduled == {}


async def test_a_timer_of_another_version_is_left_alone(
    app: FastAPI, timers: Timers, jobs: Jobs
) -> None:
    await timers.start("tour", "1", timedelta(seconds=15))
    assert await tick(app, jobs.scheduled["tour.1"][1], "tour.1") == 200
    assert "tour.1" in jobs.scheduled


def test_two_timers_of_one_kind_are_refused(app: FastAPI, jobs: Jobs, process: Process) -> None:
    timers = Timers(app, jobs, CLOCK)
    timers.on("trip", process.due)
    with pytest.raises(ValueError, match="there is a timer trip"):
        timers.on("trip", process.due)
