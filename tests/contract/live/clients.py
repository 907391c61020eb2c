"""The chassis' own client of a sidecar."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from chassis.settings import ServiceSettings
from chassis.sidecar import Sidecar
from tests.daprd import Daprd


@asynccontextmanager
async def sidecar(daprd: Daprd, **settings: Any) -> AsyncIterator[Sidecar]:
    client = Sidecar(settings_for(daprd, **settings))
    try:
        yield client
    finally:
        await client.close()


def settings_for(daprd: Daprd, **settings: Any) -> ServiceSettings:
    return ServiceSettings(
        app_id=daprd.app_id,
        dapr_http_port=daprd.http_port,
        dapr_grpc_port=daprd.grpc_port,
        **settings,
    )
