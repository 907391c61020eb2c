"""How a claim is filed, and how its approval reaches the workflow."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from chassis import Service, ServiceSettings, Workflow
from chassis.testing import MemoryBroker, MemoryStore, running
from chassis.workflow_host import WorkflowHost

from . import api
from .claims import Approval, ClaimDecided, key

APPROVAL = {"by": "ada", "granted": True}


class Engine(WorkflowHost):
    """Notes what it is asked to start and to raise."""

    def __init__(self) -> None:
        self.begun: dict[str, BaseModel] = {}
        self.raised: list[tuple[str, str, BaseModel]] = []

    async def begin(self, workflow: Workflow[Any, Any], instance_id: str, start: BaseModel) -> None:
        self.begun[instance_id] = start

    async def raise_named(self, instance_id: str, name: str, content: BaseModel) -> bool:
        self.raised.append((instance_id, name, content))
        return instance_id in self.begun


class Claims(Service):
    def __init__(self) -> None:
        self.memory, self.engine = MemoryStore(), Engine()
        settings = ServiceSettings(app_id="claims", dapr_http_port=1, dapr_grpc_port=1)
        super().__init__(settings, title="Claims", store=self.memory, broker=MemoryBroker())
        self.app.include_router(api.router)

    @property
    def workflows(self) -> WorkflowHost:
        return self.engine


@pytest.fixture
def claims() -> Claims:
    return Claims()


@pytest.fixture
async def client(claims: Claims) -> AsyncIterator[httpx.AsyncClient]:
    async with running(claims) as client:
        yield client


async def file(client: httpx.AsyncClient) -> str:
    headers = {"idempotency-key": "first"}
    response = await client.post("/claims", json={"cents": 500}, headers=headers)
    assert response.status_code == 202
    claim: str = response.json()["claim"]
    return claim


async def test_a_request_that_is_repeated_files_one_claim(
    client: httpx.AsyncClient, claims: Claims
) -> None:
    assert await file(client) == await file(client)
    assert len(claims.engine.begun) == 1


async def test_an_approval_is_raised_by_its_name(client: httpx.AsyncClient, claims: Claims) -> None:
    claim = await file(client)
    response = await client.post(f"/claims/{claim}/approval", json=APPROVAL)
    assert response.status_code == 202
    assert claims.engine.raised == [(claim, "approval", Approval(by="ada", granted=True))]


async def test_an_approval_of_an_unknown_claim_is_not_found(client: httpx.AsyncClient) -> None:
    response = await client.post("/claims/unknown/approval", json=APPROVAL)
    assert response.status_code == 404


async def test_an_approval_that_comes_too_late_is_a_conflict(
    client: httpx.AsyncClient, claims: Claims
) -> None:
    claim = await file(client)
    claims.memory.put(key(claim), ClaimDecided(claim=claim, accepted=False, reason="late"))
    response = await client.post(f"/claims/{claim}/approval", json=APPROVAL)
    assert response.status_code == 409
    assert claims.engine.raised == []


async def test_a_decision_is_not_found_until_there_is_one(
    client: httpx.AsyncClient, claims: Claims
) -> None:
    claim = await file(client)
    path = f"/claims/{claim}/decision"
    assert (await client.get(path)).status_code == 404
    claims.memory.put(key(claim), ClaimDecided(claim=claim, accepted=True, reason=""))
    assert (await client.get(path)).json()["accepted"]
