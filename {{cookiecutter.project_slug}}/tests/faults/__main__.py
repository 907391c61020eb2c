"""python -m tests.faults [--only NAME] [--style STYLE] [--orders N] [--seed S]

Each fault in each style, on a stack of its own; exits 1 if anything does not add up.
"""

import argparse
import asyncio
import signal
import sys
from random import Random

import aiohttp
from rich.console import Console

from tests.demo.client import Client, Refused
from tests.faults import report
from tests.faults.catalogue import FAULTS, Fault
from tests.faults.parts import Parts
from tests.faults.run import Result, run
from tests.faults.waiting import Overdue
from workspace import stack
from workspace.daprfile import DaprFile
from workspace.errors import StackError

STYLES = ("choreography", "orchestration", "hybrid")

console = Console(stderr=True, highlight=False)


async def run_all(
    file: DaprFile, faults: list[Fault], styles: list[str], orders: int, seed: int
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


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=FAULTS, action="append", help="may be repeated")
    parser.add_argument("--style", choices=STYLES, action="append", help="may be repeated")
    parser.add_argument("--orders", type=int, default=25, help="orders for each fault and style")
    parser.add_argument("--seed", type=int, default=None, help="the same choices again")
    arguments = parser.parse_args()
    faults = [FAULTS[name] for name in arguments.only or FAULTS]
    seed = Random().randrange(10**6) if arguments.seed is None else arguments.seed
    console.print(f"seed {seed}")
    # A stop by SIGTERM cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Not `running()`: what somebody else has started is not killed.
        stack.up()
        try:
            styles = arguments.style or list(STYLES)
            results = asyncio.run(run_all(DaprFile(), faults, styles, arguments.orders, seed))
        finally:
            stack.down()
    except (StackError, Overdue, Refused, aiohttp.ClientError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if any(result.violations for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
