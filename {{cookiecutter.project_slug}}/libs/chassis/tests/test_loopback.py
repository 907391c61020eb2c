"""No call to the sidecar goes through a proxy."""

import os
from collections.abc import AsyncIterator

import grpc.aio
import pytest

from chassis.composing import beside_sidecar
from chassis.engine import DaprEngine
from chassis.errors import Unavailable
from chassis.loopback import without_proxy
from chassis.settings import ServiceSettings

#: Nobody listens there.
PROXY = "http://127.0.0.1:9"
GRPC = "no_grpc_proxy"
NAMES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, PROXY)
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        # Set first, so that what is written to it is undone after the test.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
async def settings() -> AsyncIterator[ServiceSettings]:
    """Of a sidecar that answers: that it has no such method."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield ServiceSettings(app_id="bank", dapr_grpc_port=port)
    await server.stop(None)


async def test_the_sidecar_is_called_through_no_proxy(settings: ServiceSettings) -> None:
    sidecar = beside_sidecar(settings).sidecar
    with pytest.raises(Unavailable, match="UNIMPLEMENTED"):
        await sidecar.components()
    await sidecar.close()


async def test_its_workflow_engine_is_called_through_no_proxy(settings: ServiceSettings) -> None:
    beside_sidecar(settings)
    client = DaprEngine(settings).client()
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await client.get_workflow_state("1")
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_what_the_user_took_out_of_the_proxies_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "corp.example, 127.0.0.1")
    monkeypatch.setenv(GRPC, "grpc.example")
    without_proxy("bank-dapr")
    without_proxy("bank-dapr")
    both = "corp.example,127.0.0.1,localhost,::1,bank-dapr"
    assert (os.environ["no_proxy"], os.environ["NO_PROXY"]) == (both, both)
    assert os.environ[GRPC] == "grpc.example,localhost,127.0.0.1,::1,bank-dapr"
