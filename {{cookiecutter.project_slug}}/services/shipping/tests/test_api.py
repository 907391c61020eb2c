from collections.abc import AsyncIterator

import httpx
import pytest

from shipping.domain import Shipment, Status
from shipping.main import compose
from shipping.steps import shipment_key
from testkit import MemoryStore, memory_ports, running
from tests.examples import ORDER_ID


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def client(store: MemoryStore) -> AsyncIterator[httpx.AsyncClient]:
    async with running(compose(memory_ports(store=store))) as client:
        yield client


async def test_the_shipment_of_an_order_can_be_seen(
    client: httpx.AsyncClient, store: MemoryStore
) -> None:
    store.put(shipment_key(ORDER_ID), Shipment(ORDER_ID, Status.DISPATCHED, "NL", "NL-1"))
    seen = (await client.get(f"/shipments/{ORDER_ID}")).json()
    assert (seen["status"], seen["tracking"]) == ("dispatched", "NL-1")


async def test_an_order_that_shipping_does_not_know_is_not_found(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get(f"/shipments/{ORDER_ID}")).status_code == 404
