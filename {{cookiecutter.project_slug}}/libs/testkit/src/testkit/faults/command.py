"""Each fault of each declared saga in each of its styles, on a stack of its own."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import product
from random import Random
from typing import Annotated

import aiohttp
import typer
from rich.console import Console

from chassis.saga import Style
from testkit.faults import report
from testkit.faults.catalogue import FAULTS, Fault
from testkit.faults.parts import Parts
from testkit.faults.run import Result, run
from testkit.live import Declared, declared, door_of
from workspace import stack
from workspace.daprfile import DaprFile
from workspace.errors import StackError, UnknownName

PROCESSES = 25

console = Console(stderr=True, highlight=False)


async def run_all(
    file: DaprFile,
    faults: list[Fault],
    sagas: Sequence[Declared],
    styles: Sequence[str],
    count: int,
    seed: int,
) -> list[Result]:
    parts = Parts(file)
    for fault in [fault for fault in faults if not fault.can_be_made(parts)]:
        console.print(f"{fault.name} is left out: what it kills was not started by this command")
        faults.remove(fault)
    supervisor = asyncio.create_task(parts.supervise())
    results: list[Result] = []
    try:
        async with AsyncExitStack() as opened:
            doors = [await opened.enter_async_context(door_of(each, file.apps)) for each in sagas]
            todo = [
                (fault, door, style)
                for fault, door in product(faults, doors)
                for style in door.declared.styles
                if style in styles
            ]
            for fault, door, style in todo:
                await parts.heal()
                number = f"{len(results) + 1} of {len(todo)}"
                name = door.declared.saga.name
                with console.status(f"{number}: {fault.description}; {name}, {style}"):
                    # Of its own, so that one fault alone makes the same choices.
                    random = Random(f"{seed} {fault.name} {name} {style}")
                    results.append(await run(fault, style, parts, door, count, random))
                _tell(number, results[-1])
    finally:
        supervisor.cancel()
        if results:
            report.show(results)
    return results


def _tell(number: str, result: Result) -> None:
    console.print(
        f"{number}: {result.fault}, {result.saga}, {result.style}: {result.injected} injected, "
        f"{result.ended} of {result.begun} processes ended, "
        f"{result.recovery_seconds:.1f} s to recover, {len(result.violations)} violations"
    )
    for violation in result.violations:
        console.print(f"  does not add up: {violation}", markup=False)


Only = Annotated[list[str] | None, typer.Option(help="A fault; may be repeated.")]
InStyle = Annotated[list[str] | None, typer.Option(help="A style; may be repeated.")]
Processes = Annotated[int, typer.Option(min=1, help="Processes for each fault, saga and style.")]
Seed = Annotated[int | None, typer.Option(envvar="SEED", help="The same choices again.")]


def main(
    only: Only = None, style: InStyle = None, processes: Processes = PROCESSES, seed: Seed = None
) -> bool:
    """Kill, lock, repeat and poison the running system: each fault in each style."""
    for what, given, known in (("fault", only, FAULTS), ("style", style, tuple(Style))):
        for name in given or ():
            if name not in known:
                raise UnknownName(f"{what} {name}", known)
    sagas = declared()
    if not sagas:
        raise StackError("no service of dapr.yaml runs a saga: service.sagas.run() in its main.py")
    seed = Random().randrange(10**6) if seed is None else seed
    console.print(f"seed {seed}")
    # Not `running()`: what somebody else has started is not killed.
    stack.up()
    try:
        faults = [FAULTS[name] for name in only or FAULTS]
        styles = style or list(Style)
        results = asyncio.run(run_all(DaprFile(), faults, sagas, styles, processes, seed))
    except aiohttp.ClientError as error:
        raise StackError(f"{type(error).__name__}: {error}") from error
    finally:
        stack.down()
    return not any(result.violations for result in results)
