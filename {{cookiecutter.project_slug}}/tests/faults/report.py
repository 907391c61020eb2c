"""The table: for each fault and style, what was injected and what came of it."""

import os
from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from tests.faults.run import Result

COLUMNS = ("injected", "orders", "ended", "violations", "dead-lettered", "seconds to recover")


def show(results: Sequence[Result]) -> None:
    orders = sum(result.orders for result in results)
    table = Table(
        title=f"{orders} orders under {len({r.fault for r in results})} faults, "
        f"{os.cpu_count()} cores, {date.today()}",
        title_justify="left",
    )
    table.add_column("fault", no_wrap=True)
    table.add_column("style")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for result in results:
        table.add_row(
            result.fault,
            result.style,
            str(result.injected),
            str(result.orders),
            str(result.ended),
            str(len(result.violations)),
            str(result.dead_letters),
            f"{result.recovery_seconds:.1f}",
        )
    Console(width=120).print(table)
