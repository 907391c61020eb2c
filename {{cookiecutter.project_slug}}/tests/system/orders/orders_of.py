"""Orders as the tests send them: stocked, placed, and waited for."""

from tests.demo import mix
from tests.demo.client import Client, Order
from tests.demo.mix import Kind, Plan

STYLES = ("choreography", "orchestration", "hybrid")
DEADLINE_SECONDS = 30


async def stocked(client: Client, run: str, style: str, kind: Kind) -> Plan:
    """A plan of this kind, with all the stock it needs but what its kind says is missing."""
    for sku in mix.Shelf(run).plenty:
        await client.receive_stock(sku, 10)
    return next(plan for plan in mix.plan(run, style, 10) if plan.kind is kind)


async def ended(client: Client, order_id: str) -> Order:
    return await client.wait_until_ended(order_id, DEADLINE_SECONDS)
