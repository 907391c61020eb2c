import pytest

from chassis.service import Service
from chassis.testing import MemoryStore


async def test_only_what_is_committed_can_be_looked_up(
    service: Service, store: MemoryStore
) -> None:
    assert await service.look_up("ada", int) is None
    store.put("ada", 5)
    assert await service.look_up("ada", int) == 5


def test_a_service_without_workflows_says_how_to_host_them(service: Service) -> None:
    with pytest.raises(LookupError, match=r"service\.host\(\)"):
        _ = service.workflows
