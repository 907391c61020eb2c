import pytest

from chassis.health import sidecar_ready
from chassis.service import Service
from chassis.settings import ServiceSettings
from testkit import MemorySidecar, memory_ports, running


async def test_a_service_is_alive_without_its_sidecar(service: Service) -> None:
    async with running(service) as client:
        response = await client.get("/healthz")
    assert response.json() == {"status": "alive"}


async def test_a_service_is_not_ready_without_its_sidecar_and_says_so(service: Service) -> None:
    async with running(service) as client:
        response = await client.get("/readyz")
    assert response.status_code == 503
    assert "sidecar" in response.json()["detail"]


async def test_a_service_is_not_ready_before_its_workflows_are_hosted(service: Service) -> None:
    service.host()
    async with running(service) as client:
        response = await client.get("/readyz")
    assert response.status_code == 503
    assert "workflow host" in response.json()["detail"]


async def test_waiting_for_the_sidecar_ends_after_the_start_timeout() -> None:
    with pytest.raises(TimeoutError):
        await sidecar_ready(MemorySidecar(is_well=False), 0.05)


@pytest.mark.parametrize(
    ("loaded", "status", "said"),
    [
        ({"pubsub", "statestore"}, 200, ""),
        ({"statestore"}, 503, "the sidecar has no pubsub"),
        (set[str](), 503, "the sidecar has no pubsub and statestore"),
    ],
)
async def test_a_service_is_ready_once_its_sidecar_has_broker_and_store(
    settings: ServiceSettings, loaded: set[str], status: int, said: str
) -> None:
    ports = memory_ports(sidecar=MemorySidecar(loaded=frozenset(loaded)))
    async with running(Service(settings, title="Bank", ports=ports)) as client:
        response = await client.get("/readyz")
    assert response.status_code == status
    assert said in response.json().get("detail", "")
