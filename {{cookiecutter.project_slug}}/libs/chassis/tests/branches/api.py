"""Expense claims over HTTP: file one, approve it, and see what was decided.

docs/branches.md quotes this file.
"""

from datetime import timedelta

from fastapi import APIRouter, HTTPException, status
from pydantic import BaseModel, Field

from chassis import (
    ClientRoute,
    IdempotencyKey,
    Ports,
    Running,
    Service,
    ServiceSettings,
    derived_id,
    traceparent,
)

from .claims import APPROVAL, Approval, Claim, ClaimDecided, decide, key, workflows

APPROVE_ABOVE_CENTS = 10_000
APPROVE_WITHIN = timedelta(days=3)

router = APIRouter(route_class=ClientRoute, tags=["Claims"])


class FileClaim(BaseModel):
    cents: int = Field(gt=0, le=10_000_000)


class Filed(BaseModel):
    claim: str


@router.post("/claims", status_code=status.HTTP_202_ACCEPTED)
async def file_claim(filed: FileClaim, service: Running, request: IdempotencyKey) -> Filed:
    claim = Claim(
        id=derived_id("claim", request),
        cents=filed.cents,
        approve_above=APPROVE_ABOVE_CENTS,
        approve_within=APPROVE_WITHIN,
        app_id=service.settings.app_id,
        traceparent=traceparent(),
    )
    await service.workflows.begin(decide, claim.id, claim)
    return Filed(claim=claim.id)


@router.post("/claims/{claim}/approval", status_code=status.HTTP_202_ACCEPTED)
async def answer(claim: str, approval: Approval, service: Running) -> None:
    if await service.look_up(key(claim), ClaimDecided) is not None:
        raise HTTPException(409, f"claim {claim} is decided")
    if not await service.workflows.raise_named(claim, APPROVAL, approval):
        raise HTTPException(404, f"there is no claim {claim}")


@router.get("/claims/{claim}/decision")
async def decision(claim: str, service: Running) -> ClaimDecided:
    decided = await service.look_up(key(claim), ClaimDecided)
    if decided is None:
        raise HTTPException(404, f"nothing is decided of claim {claim}")
    return decided


def compose(ports: Ports | None = None) -> Service:
    service = Service(ServiceSettings(app_id="claims"), title="Claims", ports=ports)
    service.host(workflows)
    service.publishes(ClaimDecided)
    service.app.include_router(router)
    return service
