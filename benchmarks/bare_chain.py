"""python -m benchmarks.bare_chain [--rounds 3] [--orders 1000] [--brokers redis kafka ...]

On each broker in turn: the generated choreography; benchmarks/bare, the chain without validation,
inbox and domain, each message for itself and then in groups, as the workspace takes them; and the
generated one without its guards (no inbox, no recorded outcomes, no ETags; it still parses what
arrives, as it could not run otherwise). All on the same profile, sidecars and topics, each round of
each from empty.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.brokers import BROKERS
from benchmarks.guards import unguarded
from benchmarks.rendered import (
    ROOT,
    Measured,
    alternating,
    measure_as,
    rendered,
    served_from,
    show,
    use,
)
from tests.brokers.servers.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.bare_chain", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--brokers", nargs="+", choices=BROKERS, default=list(BROKERS))
    arguments = parser.parse_args()
    with rendered() as workspace, tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "benchmarks" / "bare", workspace / "bare")
        for broker in arguments.brokers:
            print(f"\nbroker {broker}", flush=True)
            use(workspace, broker, "sqlite")
            server = BROKERS[broker](Path(folder) / broker, workspace)
            show(alternating(arguments.rounds, _peers(workspace, server, arguments.orders)))


def _peers(workspace: Path, server: Server, orders: int) -> dict[str, Callable[[], Measured]]:
    generated = (workspace / "dapr.yaml").read_text()
    bare = served_from("bare", generated)

    def peer(run_file: str, **environment: str) -> Callable[[], Measured]:
        return partial(_measure, workspace, run_file, server, environment, orders)

    return {
        "generated": peer(generated),
        "bare": peer(bare),
        "bare-in-groups": peer(bare, BARE_IN_GROUPS="true"),
        "unguarded": peer(unguarded(generated)),
    }


def _measure(
    workspace: Path, run_file: str, server: Server, environment: Mapping[str, str], orders: int
) -> Measured:
    server.start_afresh()
    try:
        return measure_as(workspace, run_file, orders, {**server.environment, **environment})
    finally:
        server.stop()


if __name__ == "__main__":
    main()
