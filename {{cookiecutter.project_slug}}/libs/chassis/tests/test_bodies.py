import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter

from chassis import bodies
from chassis.guard import ClientRoute, SidecarRoute
from chassis.service import Service
from testkit import running

JSON = {"content-type": "application/json"}


class Door:
    """A route that tells how many are inside, and keeps them there until it is opened."""

    def __init__(self) -> None:
        self.inside = 0
        self.open = asyncio.Event()
        self.changed = asyncio.Condition()

    async def enter(self, text: str) -> None:
        async with self.changed:
            self.inside += 1
            self.changed.notify_all()
        await self.open.wait()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: self.inside >= count)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def client(service: Service, door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async def enter(body: dict[str, str]) -> None:
        await door.enter(body["text"])

    of_clients = APIRouter(route_class=ClientRoute)
    of_clients.add_api_route("/door", enter, methods=["POST"])
    of_the_sidecar = APIRouter(route_class=SidecarRoute)
    of_the_sidecar.add_api_route("/commands/door", enter, methods=["POST"])
    service.app.include_router(of_clients)
    service.app.include_router(of_the_sidecar)
    async with running(service) as client:
        yield client


@pytest.fixture
async def hurried(service: Service, client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """Of the same service, which waits for nobody as long."""
    size = service.settings.max_body_bytes
    app = bodies.Bodies(service.app, size, room_seconds=0.05, body_seconds=0.05)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as hurried:
        yield hurried


def body(size: int) -> str:
    return json.dumps({"text": "x" * (size - len('{"text": ""}'))})


async def test_large_bodies_wait_for_each_other_and_small_ones_for_nobody(
    client: httpx.AsyncClient, door: Door
) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(client.post("/door", content=body(250_000), headers=JSON))
        await door.wait_for(4)
        assert (await client.get("/healthz")).status_code == 200
        # What the sidecar sends has room of its own.
        tasks.create_task(client.post("/commands/door", content=body(250_000), headers=JSON))
        await door.wait_for(5)
        assert door.inside == 5
        door.open.set()
    assert door.inside == 21


async def test_whoever_gets_no_room_in_time_is_asked_to_try_again(
    hurried: httpx.AsyncClient, door: Door
) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(
                hurried.post("/door", content=body(bodies.MAX_HELD // 4), headers=JSON)
            )
        await door.wait_for(4)
        refused = await hurried.post("/door", content=body(100), headers=JSON)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "too much is being handled" in refused.json()["detail"]
        door.open.set()


async def test_a_body_that_does_not_end_is_given_up(hurried: httpx.AsyncClient) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    response = await hurried.post("/door", content=slow(), headers=JSON)
    assert response.status_code == 408
    assert "took longer than" in response.json()["detail"]
