"""python -m benchmarks.multi_app [--rounds 5] [--orders 300] [--own-stores]

A workflow of four activities in two forms: three of them call another app by service invocation,
or are activities of the other app (a multi-app workflow). On one stack, in turn.
"""

import argparse
import shutil
from pathlib import Path

from benchmarks.rendered import ROOT, rendered, served_from
from benchmarks.styles import rounds, show, up

LOAD = ROOT / "benchmarks" / "cost" / "workflows.py"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.multi_app", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--own-stores", action="store_true", help="not the one that Dapr asks for")
    arguments = parser.parse_args()
    with rendered() as workspace:
        shutil.copytree(ROOT / "benchmarks" / "cost" / "multi_app", workspace / "multi_app")
        run_file = workspace / "dapr.yaml"
        run_file.write_text(served_from("multi_app", run_file.read_text()))
        # It keeps the activities of an app for that app alone.
        (workspace / "components" / "workflow-access.yaml").unlink()
        if not arguments.own_stores:
            share_store(workspace)
        with up(workspace):
            names = ("invocation", "multi-app")
            show(rounds(workspace, LOAD, names, arguments.rounds, arguments.orders), names[0])


def share_store(workspace: Path) -> None:
    component = workspace / "components" / "state" / "sqlite" / "statestore.yaml"
    component.write_text(component.read_text().replace("{appID}", "shared"))


if __name__ == "__main__":
    main()
