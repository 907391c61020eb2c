"""Each fault in each style, on a stack of its own."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Annotated

import aiohttp
import typer
from rich.console import Console

from tests.demo.client import Client
from tests.faults import report
from tests.faults.catalogue import FAULTS, Fault
from tests.faults.parts import Parts
from tests.faults.run import Result, run
from workspace import stack
from workspace.daprfile import DaprFile
from workspace.errors import StackError, UnknownName

STYLES = ("choreography", "orchestration", "hybrid")

console = Console(stderr=True, highlight=False)


async def run_all(
    file: DaprFile, faults: list[Fault], styles: Sequence[str], orders: int, seed: int
) -> list[Result]:
    parts = Parts(file)
    for fault in [fault for fault in faults if not fault.can_be_made(parts)]:
        console.print(f"{fault.name} is left out: what it kills was not started by this command")
        faults.remove(fault)
    supervisor = asyncio.create_task(parts.supervise())
    client = Client(file.apps)
    results: list[Result] = []
    total = len(faults) * len(styles)
    try:
        for fault in faults:
            for style in styles:
                await parts.heal()
                number = f"{len(results) + 1} of {total}"
                with console.status(f"{number}: {fault.description}; {style}"):
                    # Of its own, so that one fault alone makes the same choices.
                    random = Random(f"{seed} {fault.name} {style}")
                    results.append(await run(fault, style, parts, client, orders, random))
                _tell(number, results[-1])
    finally:
        supervisor.cancel()
        await client.close()
        if results:
            report.show(results)
    return results


def _tell(number: str, result: Result) -> None:
    console.print(
        f"{number}: {result.fault}, {result.style}: {result.injected} injected, "
        f"{result.ended} of {result.orders} orders ended, "
        f"{result.recovery_seconds:.1f} s to recover, {len(result.violations)} violations"
    )
    for violation in result.violations:
        console.print(f"  does not add up: {violation}")


def main(
    only: Annotated[list[str] | None, typer.Option(help="A fault; may be repeated.")] = None,
    style: Annotated[list[str] | None, typer.Option(help="A style; may be repeated.")] = None,
    orders: Annotated[int, typer.Option(min=1, help="Orders for each fault and style.")] = 25,
    seed: Annotated[int | None, typer.Option(envvar="SEED", help="The same choices again.")] = None,
) -> bool:
    """Kill, lock, repeat and poison the running system: each fault in each style."""
    for what, given, known in (("fault", only, FAULTS), ("style", style, STYLES)):
        for name in given or ():
            if name not in known:
                raise UnknownName(f"{what} {name}", known)
    seed = Random().randrange(10**6) if seed is None else seed
    console.print(f"seed {seed}")
    # Not `running()`: what somebody else has started is not killed.
    stack.up()
    try:
        faults = [FAULTS[name] for name in only or FAULTS]
        results = asyncio.run(run_all(DaprFile(), faults, style or STYLES, orders, seed))
    except aiohttp.ClientError as error:
        raise StackError(f"{type(error).__name__}: {error}") from error
    finally:
        stack.down()
    return not any(result.violations for result in results)
