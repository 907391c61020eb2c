from collections.abc import AsyncIterator

import httpx
import pytest

from inventory.domain import Reservation, Status
from inventory.main import compose
from inventory.steps import reservation_key
from testkit import MemoryStore, memory_ports, running
from tests.examples import ORDER_ID


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def client(store: MemoryStore) -> AsyncIterator[httpx.AsyncClient]:
    async with running(compose(memory_ports(store=store))) as client:
        yield client


async def test_goods_that_come_in_are_available(client: httpx.AsyncClient) -> None:
    response = await client.post("/stock/TEA/receipts", json={"quantity": 5})
    assert response.status_code == 201
    assert (await client.get("/stock/TEA")).json() == {"received": 5, "reserved": 0}


async def test_a_receipt_that_is_sent_again_with_its_key_counts_once(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(2):
        await client.post(
            "/stock/TEA/receipts", json={"quantity": 5}, headers={"idempotency-key": "1"}
        )
    assert (await client.get("/stock/TEA")).json()["received"] == 5


async def test_receipts_without_a_key_all_count(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        await client.post("/stock/TEA/receipts", json={"quantity": 5})
    assert (await client.get("/stock/TEA")).json()["received"] == 10


async def test_a_sku_that_could_leave_its_state_key_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/stock/TEA||orders")).status_code == 422


async def test_the_reservation_of_an_order_can_be_seen(
    client: httpx.AsyncClient, store: MemoryStore
) -> None:
    reservation = Reservation(ORDER_ID, Status.RESERVED, {"TEA": 3})
    store.put(reservation_key(ORDER_ID), reservation)
    seen = (await client.get(f"/reservations/{ORDER_ID}")).json()
    assert (seen["status"], seen["quantities"]) == ("reserved", {"TEA": 3})


async def test_an_order_that_inventory_does_not_know_is_not_found(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get(f"/reservations/{ORDER_ID}")).status_code == 404
