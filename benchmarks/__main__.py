"""python -m benchmarks [--rounds 5] [--orders 1000]: both peers in turn, and their ratio.

Both run on the same broker, store, sidecars and settings, each from empty; only the Python differs.
"""

import argparse
import shutil
from functools import partial
from pathlib import Path

from benchmarks.workspace import ROOT, Measured, alternating, measure, rendered, show


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=1000)
    arguments = parser.parse_args()
    with rendered() as workspace:
        peers = {
            name: partial(_measure, workspace, run_file, arguments.orders)
            for name, run_file in _run_files(workspace).items()
        }
        show(alternating(arguments.rounds, peers))


def _run_files(workspace: Path) -> dict[str, str]:
    """dapr.yaml for each peer: the same but for the app that uvicorn serves."""
    shutil.copytree(ROOT / "benchmarks" / "quickstart", workspace / "quickstart")
    generated = (workspace / "dapr.yaml").read_text()
    quickstart = generated.replace("uvicorn, ", "uvicorn, --app-dir, quickstart, ")
    return {"generated": generated, "quickstart": quickstart.replace(".main:app", ":app")}


def _measure(workspace: Path, run_file: str, orders: int) -> Measured:
    (workspace / "dapr.yaml").write_text(run_file)
    return measure(workspace, orders)


if __name__ == "__main__":
    main()
