"""The table: for each fault and style, what was injected and what came of it."""

import os
from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from testkit.faults.run import Result

COLUMNS = ("injected", "begun", "ended", "violations", "dead-lettered", "seconds to recover")


def show(results: Sequence[Result]) -> None:
    begun = sum(result.begun for result in results)
    table = Table(
        title=f"{begun} processes under {len({r.fault for r in results})} faults, "
        f"{os.cpu_count()} cores, {date.today()}",
        title_justify="left",
    )
    table.add_column("fault", no_wrap=True)
    table.add_column("saga", no_wrap=True)
    table.add_column("style", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for result in results:
        table.add_row(
            result.fault,
            result.saga,
            result.style,
            str(result.injected),
            str(result.begun),
            str(result.ended),
            str(len(result.violations)),
            str(result.dead_letters),
            f"{result.recovery_seconds:.1f}",
        )
    Console(width=140).print(table)
