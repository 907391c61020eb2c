from collections.abc import AsyncIterator

import pytest

from chassis.inbox import Inbox
from chassis.processor import Processor
from chassis.service import Service
from chassis.settings import ServiceSettings
from testkit import Harness, MemoryBroker, MemorySidecar, MemoryStore, memory_ports
from testkit.bank import handlers


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def bank() -> Harness:
    return Harness(handlers, source="bank")


@pytest.fixture
async def processor(store: MemoryStore, broker: MemoryBroker) -> AsyncIterator[Processor]:
    processor = Processor(store, broker, Inbox("bank", ttl_seconds=60))
    processor.start()
    yield processor
    await processor.stop()


@pytest.fixture
def settings() -> ServiceSettings:
    return ServiceSettings(app_id="bank")


@pytest.fixture
def service(settings: ServiceSettings, store: MemoryStore, broker: MemoryBroker) -> Service:
    """Its sidecar never comes up."""
    sidecar = MemorySidecar(is_well=False)
    ports = memory_ports(store=store, broker=broker, sidecar=sidecar)
    return Service(settings, title="Bank", ports=ports)
