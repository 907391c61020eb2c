"""Liveness and readiness. Liveness asks only this process; readiness also asks its sidecar.

A service is ready when its subscriptions are, too.
"""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, FastAPI, HTTPException

from chassis.guard import OpenRoute
from chassis.ports import Supervisor
from chassis.settings import ServiceSettings

POLL_SECONDS = 0.2


def add_routes(
    app: FastAPI, settings: ServiceSettings, sidecar: Supervisor, alive: Callable[[], bool]
) -> None:
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    async def readyz() -> dict[str, str]:
        if not alive():
            raise HTTPException(503, "not ready: the processor or the workflow host is not running")
        # Some brokers drop what is published before a subscriber's queue is there.
        if not await sidecar.answers("healthz"):
            raise HTTPException(503, "not ready: the sidecar, or a part of it, is away")
        # A sidecar leaves out a component file that it cannot read, and says that it is healthy.
        if missing := {settings.pubsub, settings.state_store} - await sidecar.components():
            names = " and ".join(sorted(missing))
            raise HTTPException(503, f"not ready: the sidecar has no {names}, see its log")
        return {"status": "ready"}

    router = APIRouter(route_class=OpenRoute, tags=["Health"])
    router.add_api_route("/healthz", healthz)
    router.add_api_route("/readyz", readyz)
    app.include_router(router)


async def sidecar_ready(sidecar: Supervisor, seconds: float) -> None:
    """Wait for the sidecar and its components. Raises `TimeoutError` after so long."""
    async with asyncio.timeout(seconds):
        # Nothing here can tell us when the sidecar is up, so it is asked.
        # "outbound" leaves the app itself out: it cannot wait for itself.
        while not await sidecar.answers("healthz/outbound"):  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
