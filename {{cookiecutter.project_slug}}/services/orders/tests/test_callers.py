"""A customer against another customer."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from chassis.callers import Identity, Unauthenticated
from orders.main import compose
from testkit import MemoryBroker, memory_ports, running
from tests.examples import order_of

ORDER: dict[str, Any] = order_of({"TEA": 2}).model_dump(mode="json")


class Names:
    """Whose token it is stands in it, and its scopes after that."""

    async def identify(self, token: str | None) -> Identity:
        if token is None:
            raise Unauthenticated("there is no token")
        subject, *scopes = token.split(",")
        return Identity("https://issuer.example", subject, frozenset(scopes))


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
async def client(broker: MemoryBroker) -> AsyncIterator[httpx.AsyncClient]:
    ports = memory_ports(broker=broker, authentication=Names())
    async with running(compose(ports)) as client:
        yield client


async def place(client: httpx.AsyncClient, token: str, key: str = "1") -> str:
    headers = {"authorization": f"Bearer {token}", "idempotency-key": key}
    response = await client.post("/orders", json=ORDER | {"style": "hybrid"}, headers=headers)
    assert response.status_code == 202
    return str(response.json()["order_id"])


async def see(client: httpx.AsyncClient, token: str, order_id: str) -> httpx.Response:
    return await client.get(f"/orders/{order_id}", headers={"authorization": f"Bearer {token}"})


async def test_the_same_key_of_two_customers_is_two_orders(client: httpx.AsyncClient) -> None:
    of_ada, of_bob = await place(client, "ada"), await place(client, "bob")
    assert of_ada != of_bob
    assert await place(client, "ada") == of_ada
    assert await place(client, "bob") == of_bob


async def test_a_customer_sees_no_order_of_another_one(client: httpx.AsyncClient) -> None:
    of_ada = await place(client, "ada")
    assert (await see(client, "ada", of_ada)).status_code == 200
    others = await see(client, "bob", of_ada)
    nobodys = await see(client, "bob", missing := str(uuid4()))
    # Not even that there is one.
    assert others.status_code == nobodys.status_code == 404
    assert others.text.replace(of_ada, "") == nobodys.text.replace(missing, "")


async def test_who_helps_customers_sees_the_orders_of_all(client: httpx.AsyncClient) -> None:
    of_ada = await place(client, "ada")
    assert (await see(client, "eve,orders:read", of_ada)).status_code == 200


async def test_without_a_token_no_order_is_placed(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    assert (await client.post("/orders", json=ORDER)).status_code == 401
    assert not broker.published
