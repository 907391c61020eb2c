"""python -m simulation.record [INSTANCE...]: keep histories that the workflows must go on to fit.

Of the simulated system: one for each way through a workflow. With instances: of the running one,
`make up`, for what is in flight there when a workflow changes. Each is a file of `histories/`.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient

from chassis.simulation import Recording
from chassis.simulation.histories import dump, steps
from chassis.simulation.sdk import history
from devstack import tokens
from devstack.daprfile import DaprFile
from orders.domain import Style
from simulation.fulfilment import simulation

HISTORIES = Path(__file__).parent / "histories"
HOST = "orders"
SEEDS = 60


def simulated() -> Iterator[Recording]:
    """The first of each way through a workflow."""
    for style in (Style.ORCHESTRATION, Style.HYBRID):
        fulfilment, known = simulation(style), set()
        for seed in range(SEEDS):
            for recording in fulfilment.seeded(seed).recordings:
                if (way := steps(recording)) not in known:
                    known.add(way)
                    yield recording


def running(instance_ids: list[str]) -> Iterator[Recording]:
    # The SDK read its environment when it was imported.
    vars(settings)[tokens.API_TOKEN] = tokens.read().get(tokens.API_TOKEN)
    client = DaprWorkflowClient("127.0.0.1", str(DaprFile().apps[HOST].grpc_port))
    for instance_id in instance_ids:
        yield Recording(HOST, instance_id, tuple(history(client, instance_id)))


def keep(name: str, recording: Recording) -> None:
    (HISTORIES / f"{name}.json").write_text(dump([recording]) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="record", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("instances", nargs="*", metavar="INSTANCE", help="of the running system")
    instances = parser.parse_args().instances
    if instances:
        for recording in running(instances):
            keep(f"running-{recording.instance_id}", recording)
        return 0
    for old in HISTORIES.glob("simulated-*.json"):
        old.unlink()
    for number, recording in enumerate(simulated(), 1):
        keep(f"simulated-{number:02}", recording)
    return 0


if __name__ == "__main__":
    sys.exit(main())
