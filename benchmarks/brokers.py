"""python -m benchmarks.brokers [--orders 200]: the three styles on each broker and each store.

One run after the other on real servers of this machine, each from empty: what `make demo` prints,
and the memory that the broker takes at the end, as the table in RESULTS.md.
"""

import argparse
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.rendered import clean, command, rendered, use
from tests.brokers.servers.kafka import Kafka
from tests.brokers.servers.moto import Moto
from tests.brokers.servers.nats import Nats
from tests.brokers.servers.postgresql import PostgreSQL
from tests.brokers.servers.rabbitmq import RabbitMQ
from tests.brokers.servers.server import Server
from tests.brokers.servers.valkey import Valkey

#: The server of each broker's profile: from a folder for its data, and the workspace.
BROKERS: dict[str, Callable[[Path, Path], Server]] = {
    "redis": Valkey,
    "kafka": lambda folder, _: Kafka(folder),
    "rabbitmq": lambda folder, _: RabbitMQ(folder),
    "snssqs": lambda folder, _: Moto(folder),
    "jetstream": Nats,
}
STORES: dict[str, Callable[[], Server] | None] = {"sqlite": None, "postgresql": PostgreSQL}

HEADINGS = ["broker", "store", "style", "orders/s", "p50", "p99", "messages/order", "broker memory"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.brokers", description=__doc__)
    parser.add_argument("--orders", type=int, default=200)
    arguments = parser.parse_args()
    print(f"{arguments.orders} orders at once in each style, {os.cpu_count()} cores\n")
    _row(HEADINGS)
    _row(["---", "---", "---", *["---:"] * 5])
    with rendered() as workspace:
        for broker in BROKERS:
            for store in STORES:
                for row in compared(workspace, broker, store, arguments.orders):
                    _row(row)


def compared(workspace: Path, broker: str, store: str, orders: int) -> list[list[str]]:
    """A row for each style. Raises SystemExit with what does not add up."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        server = BROKERS[broker](Path(folder), workspace)
        keeper = STORES[store]
        servers = [server, keeper()] if keeper else [server]
        environment: dict[str, str] = {}
        for each in servers:
            stack.callback(each.stop)
            each.start()
            environment |= each.environment
        use(workspace, broker, store)
        try:
            printed = command(workspace, ["demo", "--orders", str(orders)], environment)
        finally:
            clean(workspace)
        memory = f"{server.memory_mb:.0f} MB"
    found = re.findall(r"^\W+(choreography|orchestration|hybrid)\b(.*)$", printed, re.MULTILINE)
    rows = []
    for style, cells in found:
        p50, p99, rate, messages = re.split(r"\s*│\s*", cells.strip(" │"))[-4:]
        rows.append([broker, store, style, rate, p50, p99, messages, memory])
    return rows


def _row(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
