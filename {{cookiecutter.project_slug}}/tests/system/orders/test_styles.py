"""One order of each kind in each style, through real sidecars, down to the participants' ledger."""

import pytest

from tests.demo import checks
from tests.demo.client import Client
from tests.demo.mix import Kind
from tests.system.orders.orders_of import STYLES, ended, stocked

pytestmark = pytest.mark.parametrize("style", STYLES)


@pytest.mark.parametrize("kind", Kind)
async def test_an_order_ends_as_it_must_and_all_records_agree(
    client: Client, run: str, style: str, kind: Kind
) -> None:
    plan = await stocked(client, run, style, kind)

    order = await ended(client, await client.place(plan))

    assert await checks.violations(client, run, [plan], [order]) == []


async def test_a_failure_is_shown_with_its_step_its_reason_and_what_was_undone(
    client: Client, run: str, style: str
) -> None:
    plan = await stocked(client, run, style, Kind.NO_CARRIER)

    order = await ended(client, await client.place(plan))

    assert order["failure"] == {"step": "DispatchShipment", "reason": "no carrier serves AQ"}
    # In reverse order: the payment came last, so it is undone first.
    assert order["undone"] == ["PaymentRefunded", "StockReleased"]
    assert [step["event"] for step in order["steps"]] == [
        "StockReserved",
        "PaymentCaptured",
        "ShipmentFailed",
        "PaymentRefunded",
        "StockReleased",
    ]


async def test_an_order_can_be_looked_up_as_soon_as_it_is_accepted(
    client: Client, run: str, style: str
) -> None:
    plan = await stocked(client, run, style, Kind.GOOD)

    order_id = await client.place(plan)

    assert await client.get("orders", f"/orders/{order_id}") is not None
