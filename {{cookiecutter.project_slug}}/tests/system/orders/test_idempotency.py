"""What is sent twice happens once."""

from dataclasses import replace

import pytest

from tests.demo.client import Client, Refused
from tests.demo.mix import Kind
from tests.system.orders.orders_of import STYLES, ended, stocked


@pytest.mark.parametrize("style", STYLES)
async def test_the_same_key_and_body_is_one_order(client: Client, run: str, style: str) -> None:
    plan = await stocked(client, run, style, Kind.GOOD)

    first = await client.place(plan)
    await ended(client, first)
    again = await client.place(plan)

    assert again == first
    for line in plan.body["lines"]:
        stock = await client.get("inventory", f"/stock/{line['sku']}")
        assert stock is not None
        assert stock["reserved"] == line["quantity"]


async def test_the_same_key_with_another_body_is_refused(client: Client, run: str) -> None:
    plan = await stocked(client, run, "choreography", Kind.GOOD)
    await client.place(plan)

    with pytest.raises(Refused, match=r"422.*used before, for another request"):
        await client.place(replace(plan, body={**plan.body, "customer": "someone-else"}))
