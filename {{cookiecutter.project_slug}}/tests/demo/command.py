"""The three styles on the real system, one after the other."""

import asyncio
import time
from typing import Annotated

import aiohttp
import typer
from rich.console import Console
from rich.progress import Progress

from tests.demo import checks, messages, mix, report
from tests.demo.client import Client, each
from workspace import stack
from workspace.daprfile import DaprFile
from workspace.errors import StackError

STYLES = ("choreography", "orchestration", "hybrid")
DEADLINE_SECONDS = 180

console = Console(stderr=True, highlight=False)


async def run(file: DaprFile, count: int) -> bool:
    client = Client(file.apps)
    results, wrong = [], []
    try:
        for style in STYLES:
            name = f"DEMO-{int(time.time()):X}-{style[0].upper()}"
            result, violations = await run_style(client, file, name, style, count)
            results.append(result)
            wrong += violations
    finally:
        await client.close()
    report.show(results)
    for line in wrong:
        console.print(f"does not add up: {line}")
    if not wrong:
        console.print("stock, money and shipments add up in every style")
    return not wrong


async def run_style(
    client: Client, file: DaprFile, name: str, style: str, count: int
) -> tuple[report.Result, list[str]]:
    plans = mix.plan(name, style, count)
    for sku in mix.Shelf(name).plenty:
        await client.receive_stock(sku, 6 * count)
    before = await messages.count(file.apps.values())
    with Progress(console=console, transient=True) as progress:
        accepted = progress.add_task(f"{style}: accepted", total=count)
        ended = progress.add_task(f"{style}: ended", total=count)

        async def place(plan: mix.Plan) -> str:
            order_id = await client.place(plan)
            progress.advance(accepted)
            return order_id

        order_ids = await each(plans, place)
        orders = await client.wait_until_ended(
            order_ids, DEADLINE_SECONDS, lambda number: progress.update(ended, completed=number)
        )
    moved = await messages.count(file.apps.values()) - before
    console.print(f"{style}: {count} orders have ended, checking that they add up")
    return report.Result(style, orders, moved), await checks.violations(client, name, plans, orders)


def main(
    orders: Annotated[int, typer.Option(min=1, help="Orders in each style.")] = 200,
) -> bool:
    """Orders in each style, checked, and a table of what each style costs here."""
    with stack.running() as file:
        try:
            return asyncio.run(run(file, orders))
        except aiohttp.ClientError as error:
            raise StackError(f"{type(error).__name__}: {error}") from error
