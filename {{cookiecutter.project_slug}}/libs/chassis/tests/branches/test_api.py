"""How a claim is filed, and how its approval reaches the workflow."""

from collections.abc import AsyncIterator

import httpx
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from chassis import Service
from chassis.workflow_host import GONE
from testkit import MemoryEngine, MemoryStore, memory_ports, running

from . import api
from .claims import ClaimDecided, key

APPROVAL = {"by": "ada", "granted": True}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def claims(store: MemoryStore, engine: MemoryEngine) -> Service:
    return api.compose(memory_ports(store=store, engine=engine))


@pytest.fixture
async def client(claims: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with running(claims) as client:
        yield client


async def file(client: httpx.AsyncClient) -> str:
    headers = {"idempotency-key": "first"}
    response = await client.post("/claims", json={"cents": 500}, headers=headers)
    assert response.status_code == 202
    claim: str = response.json()["claim"]
    return claim


async def test_a_request_that_is_repeated_files_one_claim(
    client: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    first, second = await file(client), await file(client)
    # The engine begins a workflow of one id once.
    assert first == second
    assert set(engine.begun) == {("decide", first)}


async def test_an_approval_is_raised_by_its_name(
    client: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    claim = await file(client)
    response = await client.post(f"/claims/{claim}/approval", json=APPROVAL)
    assert response.status_code == 202
    assert (engine.raised, engine.data) == ([(claim, "approval")], [APPROVAL])


async def test_an_approval_of_an_unknown_claim_is_not_found(
    client: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    engine.failures = [AioRpcError(StatusCode.UNKNOWN, Metadata(), Metadata(), GONE)]
    response = await client.post("/claims/unknown/approval", json=APPROVAL)
    assert response.status_code == 404


async def test_an_approval_that_comes_too_late_is_a_conflict(
    client: httpx.AsyncClient, store: MemoryStore, engine: MemoryEngine
) -> None:
    claim = await file(client)
    store.put(key(claim), ClaimDecided(claim=claim, accepted=False, reason="late"))
    response = await client.post(f"/claims/{claim}/approval", json=APPROVAL)
    assert response.status_code == 409
    assert engine.raised == []


async def test_a_decision_is_not_found_until_there_is_one(
    client: httpx.AsyncClient, store: MemoryStore
) -> None:
    claim = await file(client)
    path = f"/claims/{claim}/decision"
    assert (await client.get(path)).status_code == 404
    store.put(key(claim), ClaimDecided(claim=claim, accepted=True, reason=""))
    assert (await client.get(path)).json()["accepted"]
