"""Liveness and readiness. Liveness asks only this process; readiness also asks its sidecar.

A service is ready when its subscriptions are, too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Set

import aiohttp
from fastapi import FastAPI, HTTPException

from chassis.settings import ServiceSettings

POLL_SECONDS = 0.2
PROBE = aiohttp.ClientTimeout(total=1.0)


def add_routes(
    app: FastAPI,
    settings: ServiceSettings,
    alive: Callable[[], bool],
    components: Callable[[], Awaitable[Set[str]]],
) -> None:
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    async def readyz() -> dict[str, str]:
        if not alive():
            raise HTTPException(503, "not ready: the processor or the workflow host is not running")
        # Some brokers drop what is published before a subscriber's queue is there.
        if not await _answers(settings, "healthz"):
            raise HTTPException(503, "not ready: the sidecar, or a part of it, is away")
        # A sidecar leaves out a component file that it cannot read, and says that it is healthy.
        if missing := {settings.pubsub, settings.state_store} - await components():
            names = " and ".join(sorted(missing))
            raise HTTPException(503, f"not ready: the sidecar has no {names}, see its log")
        return {"status": "ready"}

    app.add_api_route("/healthz", healthz, tags=["Health"])
    app.add_api_route("/readyz", readyz, tags=["Health"])


async def sidecar_ready(settings: ServiceSettings) -> None:
    """Wait for the sidecar and its components. Raises `TimeoutError` after the start timeout."""
    async with asyncio.timeout(settings.start_timeout_seconds):
        # Nothing here can tell us when the sidecar is up, so it is asked.
        # "outbound" leaves the app itself out: it cannot wait for itself.
        while not await _answers(settings, "healthz/outbound"):  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)


async def _answers(settings: ServiceSettings, route: str) -> bool:
    url = f"http://{settings.dapr_runtime_host}:{settings.dapr_http_port}/v1.0/{route}"
    try:
        async with aiohttp.request("GET", url, timeout=PROBE) as response:
            return response.ok
    except (aiohttp.ClientError, TimeoutError):
        return False
