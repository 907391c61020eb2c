"""python -m benchmarks.brokers [--orders 200]: the three styles on each broker and each store.

One run after the other on real servers of this machine; what `make demo` prints, and the memory
that the broker takes at the end.
"""

import argparse
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cookiecutter.main import cookiecutter

from tests.brokers.servers import Kafka, Moto, PostgreSQL, RabbitMQ, Server, Valkey

ROOT = Path(__file__).resolve().parent.parent
PAIRS = [
    ("redis", "sqlite"),
    ("kafka", "sqlite"),
    ("rabbitmq", "sqlite"),
    ("snssqs", "sqlite"),
    ("redis", "postgresql"),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.brokers", description=__doc__)
    parser.add_argument("--orders", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(cookiecutter(str(ROOT), no_input=True, output_dir=folder))
        subprocess.run(["make", "setup"], cwd=workspace, check=True, capture_output=True)
        for broker, store in PAIRS:
            with running(broker, store, Path(folder), workspace) as servers:
                print(f"\nbroker {broker}, store {store}", flush=True)
                print(demo(workspace, broker, store, servers, arguments.orders))
                print(f"memory of the broker: {servers[0].memory_mb:.0f} MB", flush=True)


@contextmanager
def running(broker: str, store: str, folder: Path, workspace: Path) -> Iterator[list[Server]]:
    data = Path(tempfile.mkdtemp(dir=folder))
    brokers: dict[str, Callable[[], Server]] = {
        "redis": lambda: Valkey(data, workspace),
        "kafka": lambda: Kafka(data),
        "rabbitmq": lambda: RabbitMQ(data),
        "snssqs": lambda: Moto(data),
    }
    made = [brokers[broker]()]
    if store == "postgresql":
        made.append(PostgreSQL())
    try:
        for server in made:
            server.start()
        yield made
    finally:
        for server in made:
            server.stop()


def demo(workspace: Path, broker: str, store: str, servers: list[Server], orders: int) -> str:
    python = str(workspace / ".venv" / "bin" / "python")
    environment = dict(os.environ)
    for server in servers:
        environment |= server.environment
    subprocess.run(["rm", "-rf", "data", ".run", ".dapr"], cwd=workspace, check=True)
    for command in (
        [python, "-m", "devstack", "use", "--broker", broker, "--store", store],
        [python, "-m", "demo", "--orders", str(orders)],
    ):
        done = subprocess.run(
            command, cwd=workspace, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
