"""A service with its HTTP API, run without a server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from chassis.service import Service


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service's HTTP API, while the service runs as under uvicorn.

    It carries the service's token, as its sidecar does. Workflows are hosted by then, if the
    sidecar is well.
    """
    token = service.settings.app_api_token
    transport = httpx.ASGITransport(service.app, raise_app_exceptions=False)
    async with (
        service.app.router.lifespan_context(service.app),
        httpx.AsyncClient(
            transport=transport,
            base_url="http://service",
            headers={"dapr-api-token": token.get_secret_value()} if token else {},
        ) as client,
    ):
        await _workflows_hosted(service)
        yield client


async def _workflows_hosted(service: Service) -> None:
    if service.hosts_workflows and await service.ports.sidecar.answers("healthz/outbound"):
        async with asyncio.timeout(5):
            while not service.workflows.ready:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
