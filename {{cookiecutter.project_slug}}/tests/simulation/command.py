"""Histories that later workflows must fit.

Of the simulated system: each way through a workflow that no history has taken yet. With instances:
of the running one, `make up`, for what is in flight there when a workflow changes. Each is a file
of `histories/`; none is changed or deleted.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import grpc
import typer
from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient
from rich.console import Console

from chassis.loopback import without_proxy
from testkit.simulation import Recording
from testkit.simulation.histories import dump, load, steps
from testkit.simulation.sdk import history
from tests.simulation.fulfilment import HYBRID_WORKFLOW, WORKFLOWS, simulation
from workspace import tokens
from workspace.daprfile import DaprFile
from workspace.errors import StackError

console = Console(stderr=True, highlight=False)

HISTORIES = Path(__file__).parent / "histories"
HOST = "orders"
SEEDS = 60
SIMULATED = "simulated-"

ADVICE = (
    "  Instances in flight would break. Put the new way behind ctx.is_patched(...), or give it a\n"
    "  name of its own; once no such instance is left, delete the file and run `make histories`."
)


def simulated(known: set[tuple[str, ...]]) -> Iterator[Recording]:
    """The first of each way through a workflow that is not known yet."""
    for runner in WORKFLOWS:
        fulfilment = simulation(runner)
        for seed in range(SEEDS):
            for recording in fulfilment.seeded(seed).recordings:
                if (way := steps(recording)) not in known:
                    known.add(way)
                    yield recording


def running(instance_ids: list[str]) -> Iterator[Recording]:
    """Raises `StackError` if the orders service's sidecar has no such instance, or is away."""
    # The SDK read its environment when it was imported.
    vars(settings)[tokens.API_TOKEN] = tokens.of(HOST).get(tokens.API_TOKEN)
    port = DaprFile().apps[HOST].grpc_port
    without_proxy()
    client = DaprWorkflowClient("127.0.0.1", str(port))
    for instance_id in instance_ids:
        try:
            events = history(client, instance_id)
        except grpc.RpcError as error:
            raise StackError(
                f"no history of {instance_id} from the sidecar of {HOST} at port {port}: "
                f"{error.details()}. Is it up (make up), and is that <saga>.<id> of a process "
                "whose style runs as a workflow?"
            ) from error
        yield Recording(HOST, instance_id, tuple(events))


def kept() -> dict[str, Recording]:
    """The histories that are there, by the name of their file."""
    return {
        file.stem: recording
        for file in sorted(HISTORIES.glob("*.json"))
        for recording in load(file.read_text())
    }


def misfits(histories: dict[str, Recording]) -> list[str]:
    """What the code would now do in another way, and what to do about it."""
    # It hosts the workflows of both.
    ours = simulation(HYBRID_WORKFLOW)
    return [
        f"{name}: {line}\n{ADVICE}"
        for name, recording in histories.items()
        for line in ours.compare([recording])
    ]


def keep(name: str, recording: Recording) -> None:
    file = HISTORIES / f"{name}.json"
    file.write_text(dump([recording]) + "\n")
    print(f"kept {file.relative_to(HISTORIES.parent.parent)}")


def main(
    instances: Annotated[
        list[str] | None,
        typer.Argument(help="Workflows that run now, by id: <saga>.<id>."),
    ] = None,
) -> bool:
    """Keep histories that later workflows must fit: of running ones, or each new way of the code.

    Fails if the code does not fit those that are there.
    """
    HISTORIES.mkdir(exist_ok=True)
    for recording in running(instances or []):
        keep(f"running-{recording.instance_id}", recording)
    there = kept()
    if wrong := misfits(there):
        print("\n".join(wrong), file=sys.stderr)
        return False
    if not instances:
        last = max((int(name[-2:]) for name in there if name.startswith(SIMULATED)), default=0)
        ways = set(map(steps, there.values()))
        with console.status("looking for ways that no history takes"):
            for number, recording in enumerate(simulated(ways), last + 1):
                keep(f"{SIMULATED}{number:02}", recording)
    return True
