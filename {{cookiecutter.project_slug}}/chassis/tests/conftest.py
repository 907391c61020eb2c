from collections.abc import AsyncIterator, Callable

import pytest

from chassis.inbox import Inbox
from chassis.ports import Broker, Store
from chassis.processor import Processor
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.testing import Harness, MemoryBroker, MemoryStore
from chassis.testing.bank import handlers


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
async def start(
    store: MemoryStore, broker: MemoryBroker
) -> AsyncIterator[Callable[..., Processor]]:
    """Starts a processor, with another store, broker or limit than usual; it is stopped later."""
    started: list[Processor] = []

    def start(store: Store = store, broker: Broker = broker, **limits: float) -> Processor:
        processor = Processor(store, broker, Inbox("bank", ttl_seconds=60), **limits)
        processor.start()
        started.append(processor)
        return processor

    yield start
    for processor in started:
        await processor.stop()


@pytest.fixture
async def processor(start: Callable[..., Processor]) -> Processor:
    return start()


@pytest.fixture
def settings() -> ServiceSettings:
    """Of a service whose sidecar never comes up: nothing listens on port 1."""
    return ServiceSettings(app_id="bank", dapr_http_port=1, dapr_grpc_port=1)


@pytest.fixture
def service(settings: ServiceSettings, store: MemoryStore, broker: MemoryBroker) -> Service:
    return Service(settings, title="Bank", store=store, broker=broker)
