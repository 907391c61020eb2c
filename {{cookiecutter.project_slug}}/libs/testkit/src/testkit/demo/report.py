"""The table: what each style costs, on this machine, today."""

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table

from chassis.saga import Progress as View
from chassis.saga import State
from testkit.live.load import seconds

__all__ = ["Result", "Shown", "View", "Views", "show"]

Views = Mapping[str, View]
#: Called with how many have ended.
Shown = Callable[[int], None]

HEADINGS = ("accepted", "completed", "cancelled", "p50", "p99", "each second", "messages each")


@dataclass(frozen=True)
class Result:
    """One style's run. Times are of the initiator: from the start of a process to its end."""

    saga: str
    style: str
    ended: Sequence[View]
    messages: float

    @property
    def each_second(self) -> float:
        first = min(_time(view.started_at) for view in self.ended)
        last = max(_time(view.ended_at) for view in self.ended)
        return len(self.ended) / (last - first).total_seconds()

    def row(self) -> list[str]:
        states = [view.state for view in self.ended]
        took = [1000 * (seconds(view) or 0.0) for view in self.ended]
        # Quantiles need two of them.
        cuts = statistics.quantiles(took if len(took) > 1 else took * 2, n=100)
        return [
            self.saga,
            self.style,
            str(len(states)),
            str(states.count(State.COMPLETED)),
            str(states.count(State.CANCELLED)),
            f"{cuts[49]:.0f} ms",
            f"{cuts[98]:.0f} ms",
            f"{self.each_second:.0f}",
            f"{self.messages / len(states):.1f}",
        ]


def show(results: Sequence[Result]) -> None:
    count = len(results[0].ended)
    table = Table(
        title=f"{count} processes at once in each style, {os.cpu_count()} cores",
        title_justify="left",
    )
    table.add_column("saga")
    table.add_column("style")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for result in results:
        table.add_row(*result.row())
    Console(width=120).print(table)


def _time(time: datetime | None) -> datetime:
    assert time is not None, "the process has ended"
    return time
