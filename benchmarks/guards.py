"""python -m benchmarks.guards [--rounds 5] [--orders 1000]: what the guards cost.

The generated choreography as it is, and served by `testkit.faults.launcher` without inbox, recorded
outcomes and ETags: what then goes wrong is not measured, only how fast it goes.
"""

import argparse
from functools import partial

from benchmarks.rendered import alternating, measure_as, rendered, show

UVICORN = '"${UV_PROJECT_ENVIRONMENT:-.venv}/bin/uvicorn"'
UNGUARDED = ".venv/bin/python -m testkit.faults.launcher without-guards --"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.guards", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=1000)
    arguments = parser.parse_args()
    with rendered() as workspace:
        guarded = (workspace / "dapr.yaml").read_text()
        run_files = {"guarded": guarded, "unguarded": unguarded(guarded)}
        peers = {
            name: partial(measure_as, workspace, run_file, arguments.orders)
            for name, run_file in run_files.items()
        }
        show(alternating(arguments.rounds, peers))


def unguarded(run_file: str) -> str:
    """dapr.yaml for the same services without their guards."""
    return run_file.replace(UVICORN, UNGUARDED)


if __name__ == "__main__":
    main()
