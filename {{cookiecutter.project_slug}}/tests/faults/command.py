"""`make faults`: the testkit's, in the words of this process."""

from typing import Annotated

import typer

from testkit.faults import command
from testkit.faults.command import InStyle, Only, Seed


def main(
    only: Only = None,
    style: InStyle = None,
    orders: Annotated[
        int, typer.Option(min=1, help="Orders for each fault and style.")
    ] = command.PROCESSES,
    seed: Seed = None,
) -> bool:
    """Kill, lock, repeat and poison the running system: each fault in each style."""
    return command.main(only, style, orders, seed)
