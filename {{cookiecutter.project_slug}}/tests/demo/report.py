"""The table: what each style costs, on this machine, today."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table

from tests.demo.client import Order


@dataclass(frozen=True)
class Result:
    """One style's run. Times are of the orders service: from `placed_at` to `ended_at`."""

    style: str
    orders: Sequence[Order]
    messages: float

    @property
    def durations_ms(self) -> list[float]:
        return [
            (_time(order["ended_at"]) - _time(order["placed_at"])).total_seconds() * 1000
            for order in self.orders
        ]

    @property
    def orders_per_second(self) -> float:
        first = min(_time(order["placed_at"]) for order in self.orders)
        last = max(_time(order["ended_at"]) for order in self.orders)
        return len(self.orders) / (last - first).total_seconds()

    def row(self) -> list[str]:
        states = [order["state"] for order in self.orders]
        cuts = statistics.quantiles(self.durations_ms, n=100)
        return [
            self.style,
            str(len(states)),
            str(states.count("confirmed")),
            str(states.count("cancelled")),
            f"{cuts[49]:.0f} ms",
            f"{cuts[98]:.0f} ms",
            f"{self.orders_per_second:.0f}",
            f"{self.messages / len(states):.1f}",
        ]


def show(results: Sequence[Result]) -> None:
    count = len(results[0].orders)
    table = Table(
        title=f"{count} orders at once in each style, {os.cpu_count()} cores", title_justify="left"
    )
    table.add_column("style")
    for heading in (
        "accepted",
        "confirmed",
        "cancelled",
        "p50",
        "p99",
        "orders/s",
        "messages/order",
    ):
        table.add_column(heading, justify="right")
    for result in results:
        table.add_row(*result.row())
    Console(width=110).print(table)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
