"""python -m benchmarks [--rounds 5] [--orders 1000]: both peers in turn, and their ratio.

Both run on the same broker, store, sidecars and settings, each from empty; only the Python differs.
"""

import argparse
import shutil
from functools import partial
from pathlib import Path

from benchmarks.rendered import ROOT, alternating, measure_as, rendered, served_from, show


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=1000)
    arguments = parser.parse_args()
    with rendered() as workspace:
        peers = {
            name: partial(measure_as, workspace, run_file, arguments.orders)
            for name, run_file in _run_files(workspace).items()
        }
        show(alternating(arguments.rounds, peers))


def _run_files(workspace: Path) -> dict[str, str]:
    shutil.copytree(ROOT / "benchmarks" / "quickstart", workspace / "quickstart")
    generated = (workspace / "dapr.yaml").read_text()
    return {"generated": generated, "quickstart": served_from("quickstart", generated)}


if __name__ == "__main__":
    main()
