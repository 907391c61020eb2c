import asyncio

import pytest

from chassis.cloudevents import envelope
from chassis.service import Service
from chassis.settings import ServiceSettings
from testkit import MemoryEngine, MemoryStore, memory_ports, running
from testkit.bank import Deposit, handlers


async def test_only_what_is_committed_can_be_looked_up(
    service: Service, store: MemoryStore
) -> None:
    assert await service.look_up("ada", int) is None
    store.put("ada", 5)
    assert await service.look_up("ada", int) == 5


def test_a_service_without_workflows_says_how_to_host_them(service: Service) -> None:
    with pytest.raises(LookupError, match=r"service\.host\(\)"):
        _ = service.workflows


async def test_a_workflow_host_that_does_not_stop_in_time_stops_no_other_part_from_ending(
    settings: ServiceSettings, store: MemoryStore
) -> None:
    engine = MemoryEngine()
    service = Service(settings, title="Bank", ports=memory_ports(store=store, engine=engine))
    service.host()
    service.subscribe(handlers)
    event = envelope(Deposit(amount=5), id="1", source="test", traceparent=None)

    async def stopped_in_the_middle_of_a_message() -> asyncio.Task[None]:
        async with running(service):
            engine.workers[0].failures = [TimeoutError("the worker did not stop in time")]
            handling = asyncio.create_task(service.subscriptions.handle(event, "deposit"))
            await asyncio.sleep(0)
        return handling

    with pytest.raises(TimeoutError, match="did not stop in time"):
        await stopped_in_the_middle_of_a_message()
    assert store.get("ada", int) == 5
    assert not service.processor.alive
