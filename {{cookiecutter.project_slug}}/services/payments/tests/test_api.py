from collections.abc import AsyncIterator

import httpx
import pytest

from payments.domain import Card, Payment, Status
from payments.main import compose
from payments.settings import settings
from payments.steps import card_key, payment_key
from testkit import MemoryStore, memory_ports, running
from tests.examples import ORDER_ID


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def client(store: MemoryStore) -> AsyncIterator[httpx.AsyncClient]:
    async with running(compose(memory_ports(store=store))) as client:
        yield client


async def test_the_payment_of_an_order_can_be_seen(
    client: httpx.AsyncClient, store: MemoryStore
) -> None:
    store.put(payment_key(ORDER_ID), Payment(ORDER_ID, Status.CAPTURED, "card-ada", 300))
    seen = (await client.get(f"/payments/{ORDER_ID}")).json()
    assert (seen["status"], seen["amount_cents"]) == ("captured", 300)


async def test_an_order_that_payments_does_not_know_is_not_found(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get(f"/payments/{ORDER_ID}")).status_code == 404


async def test_a_card_shows_what_it_was_charged(
    client: httpx.AsyncClient, store: MemoryStore
) -> None:
    store.put(card_key("card-ada"), Card(limit_cents=500, charged_cents=300))
    assert (await client.get("/cards/card-ada")).json() == {
        "limit_cents": 500,
        "charged_cents": 300,
    }


async def test_a_card_that_was_never_used_shows_its_limit(client: httpx.AsyncClient) -> None:
    assert (await client.get("/cards/card-new")).json() == {
        "limit_cents": settings.card_limit_cents,
        "charged_cents": 0,
    }
