"""One order is one trace, through every service and every style."""

import asyncio
import json
from secrets import token_hex

import aiohttp
import pytest

from tests.demo.client import Client
from tests.demo.mix import Kind
from tests.system.collector import Collector
from tests.system.orders.orders_of import DEADLINE_SECONDS, STYLES, ended, stocked
from workspace.daprfile import ROOT, DaprFile

# At the least: a service that was added may get the order's events, too.
SERVICES = {"orders", "inventory", "payments", "shipping"}


@pytest.mark.parametrize("style", STYLES)
async def test_the_callers_trace_follows_the_order_through_every_service(
    client: Client, workspace: DaprFile, collector: Collector, run: str, style: str
) -> None:
    trace_id = token_hex(16)
    plan = await stocked(client, run, style, Kind.NO_CARRIER)
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            f"{workspace.apps['orders'].url}/orders",
            json=plan.body,
            headers={"traceparent": f"00-{trace_id}-{token_hex(8)}-01"},
        ) as response,
    ):
        order_id = (await response.json())["order_id"]
    await ended(client, order_id)

    def roots() -> list[str]:
        """The spans whose parent was made elsewhere, or has not been sent yet."""
        spans = collector.trace(trace_id)
        known = {span.span_id for span in spans}
        return [span.name for span in spans if span.parent_id not in known]

    def services() -> set[str]:
        return {span.service for span in collector.trace(trace_id)}

    # Each service sends its spans when it gets to it.
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (services() >= SERVICES and roots() == ["POST /orders"]):  # noqa: ASYNC110
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("style", STYLES)
async def test_the_logs_of_every_service_name_the_order_and_its_trace(
    client: Client, run: str, style: str
) -> None:
    plan = await stocked(client, run, style, Kind.GOOD)
    order_id = await client.place(plan)
    await ended(client, order_id)

    lines = [
        json.loads(line[line.index("{") :])
        for log in (ROOT / ".dapr" / "logs").glob("*_app_*.log")
        for line in log.read_text().splitlines()
        if order_id in line
    ]
    assert {line["service"] for line in lines} >= SERVICES
    assert {line["subject"] for line in lines} == {order_id}
    assert len({line["trace_id"] for line in lines}) == 1
