"""python -m benchmarks.bare_chain [--rounds 3] [--orders 1000] [--brokers redis kafka ...]

On each broker in turn: the generated choreography, the same without its guards (no inbox, no
recorded outcomes, no ETags; it still parses what arrives, as it could not run otherwise), and
benchmarks/bare, which has no domain either. All on the same profile, sidecars and topics, each
round of each from empty.
"""

import argparse
import shutil
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.brokers import BROKERS
from benchmarks.guards import unguarded
from benchmarks.workspace import (
    ROOT,
    Measured,
    alternating,
    measure_as,
    rendered,
    served_from,
    show,
    use,
)
from tests.brokers.servers import Server


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
            show(
                alternating(
                    arguments.rounds,
                    {
                        name: partial(_measure, workspace, run_file, server, arguments.orders)
                        for name, run_file in _run_files(workspace).items()
                    },
                )
            )


def _run_files(workspace: Path) -> dict[str, str]:
    generated = (workspace / "dapr.yaml").read_text()
    return {
        "generated": generated,
        "unguarded": unguarded(generated),
        "bare": served_from("bare", generated),
    }


def _measure(workspace: Path, run_file: str, server: Server, orders: int) -> Measured:
    server.start_afresh()
    try:
        return measure_as(workspace, run_file, orders, server.environment)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
