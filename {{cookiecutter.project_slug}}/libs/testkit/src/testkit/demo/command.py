"""Each declared saga in each of its styles on the real system, one after the other."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Annotated

import aiohttp
import typer
from rich.console import Console
from rich.progress import Progress

from chassis.saga import Style
from testkit.demo import report
from testkit.live import Declared, Door, Plan, declared, door_of, messages, records
from testkit.live.load import AGAIN_SECONDS, CONCURRENCY, each
from testkit.live.waiting import Overdue, lasting
from testkit.sagas import violations
from workspace import stack
from workspace.daprfile import DaprFile
from workspace.errors import StackError

PROCESSES = 200
DEADLINE_SECONDS = 180
#: Within which the replies that were on their way at the end of a process are recorded, too.
SETTLE_SECONDS = 30

console = Console(stderr=True, highlight=False)


async def run(file: DaprFile, sagas: Sequence[Declared], count: int) -> bool:
    results: list[report.Result] = []
    wrong: list[str] = []
    async with AsyncExitStack() as opened:
        for saga in sagas:
            door = await opened.enter_async_context(door_of(saga, file.apps))
            for style in saga.styles:
                result, found = await run_style(door, file, style, count)
                results.append(result)
                wrong += found
    report.show(results)
    for line in wrong:
        console.print(f"does not add up: {line}", markup=False)
    if not wrong:
        console.print("all processes add up in every style")
    return not wrong


async def run_style(
    door: Door, file: DaprFile, style: Style, count: int
) -> tuple[report.Result, list[str]]:
    run = f"DEMO-{int(time.time()):X}-{style[0].upper()}"
    saga = door.declared.saga
    plans = door.plans(run, style, count)
    await door.prepare(run, count)
    before = await messages.count(file.apps.values())
    with Progress(console=console, transient=True) as progress:
        accepted = progress.add_task(f"{saga.name}, {style}: accepted", total=count)
        ended = progress.add_task(f"{saga.name}, {style}: ended", total=count)

        async def begin(plan: Plan) -> str:
            id = await door.begin(plan)
            progress.advance(accepted)
            return id

        ids = await each(plans, begin)
        views = await _ended(door, ids, lambda number: progress.update(ended, completed=number))
    moved = await messages.count(file.apps.values()) - before
    console.print(f"{saga.name}, {style}: {count} processes have ended, checking that they add up")
    wrong = [
        *await door.violations(run, dict(zip(ids, plans, strict=True))),
        *await settled_violations(door, views),
    ]
    return report.Result(saga.name, style, list(views.values()), moved), wrong


async def settled_violations(door: Door, views: report.Views) -> list[str]:
    """What still does not hold of the records a while after the ends.

    Choreography: a process may be known to be undone before the reply that something was done.
    """
    seen = dict(views)

    async def found() -> list[str]:
        wrong = violations(door.declared.saga, records.evidence(door.declared, seen))
        if wrong:
            # For the next time.
            looked = zip(seen, await each(list(seen), door.look), strict=True)
            seen.update({id: view for id, view in looked if view is not None})
        return wrong

    return await lasting(found, SETTLE_SECONDS)


async def _ended(door: Door, ids: Sequence[str], progress: report.Shown) -> report.Views:
    """How each ended. Raises `Overdue`."""
    views: dict[str, report.View] = {}
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(views) < len(ids):
                # A few at a time: to ask for all of them would be the larger part of the load.
                asked = [id for id in ids if id not in views][:CONCURRENCY]
                found = zip(asked, await each(asked, door.look), strict=True)
                views |= {id: view for id, view in found if view is not None and view.has_ended}
                progress(len(views))
                if not views.keys() >= set(asked):
                    await asyncio.sleep(AGAIN_SECONDS)
    except TimeoutError:
        missing = [id for id in ids if id not in views]
        raise Overdue(
            f"{len(missing)} of {len(ids)} processes of {door.declared.saga.name} have not ended "
            f"after {DEADLINE_SECONDS} s, the first of them {missing[0]}"
        ) from None
    return views


def main(
    processes: Annotated[
        int, typer.Option(min=1, help="Processes of each saga in each style.")
    ] = PROCESSES,
) -> bool:
    """Each saga in each style, checked, and a table of what each style costs here."""
    sagas = declared()
    if not sagas:
        raise StackError("no service of dapr.yaml runs a saga: service.sagas.run() in its main.py")
    with stack.running() as file:
        try:
            return asyncio.run(run(file, sagas, processes))
        except aiohttp.ClientError as error:
            raise StackError(f"{type(error).__name__}: {error}") from error
