"""A service with its HTTP API, run without a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from chassis.service import Service


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service's HTTP API, while the service runs as under uvicorn.

    It carries the service's token, as its sidecar does.
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
        yield client
