"""`make demo`: the testkit's, in the words of this process."""

from typing import Annotated

import typer

from testkit.demo import command


def main(
    orders: Annotated[int, typer.Option(min=1, help="Orders in each style.")] = command.PROCESSES,
) -> bool:
    """Orders in each style, checked, and a table of what each style costs here."""
    return command.main(orders)
