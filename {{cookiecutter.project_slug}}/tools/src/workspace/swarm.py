"""Docker Swarm: the stack of deploy/swarm, up and down again."""

import json
import time

import yaml
from rich.console import Console

from workspace import stackfile
from workspace.daprfile import DaprFile
from workspace.deployment import COMPOSE_FILE, docker
from workspace.errors import StackError

console = Console(stderr=True, highlight=False)

STACK_FILE = stackfile.MADE / "stack.yaml"
READY_SECONDS = 300
TAKEN_BACK = ("rollback_completed", "rollback_paused", "paused")

#: By service: the state of its last update, and what Docker says of it.
Updates = dict[str, dict[str, str]]


def up(file: DaprFile) -> None:
    """Deploy, and return when all tasks are healthy. Raises `StackError`."""
    STACK_FILE.write_text(config(file))
    if not docker("node", "ls", "--quiet", "--filter", "node.label=state=true", file=file):
        # Somewhere must the volumes be, and stay.
        (node,) = json.loads(docker("node", "inspect", "self", file=file))
        docker("node", "update", "--label-add", "state=true", node["ID"], file=file)
    name = _name()
    before = _updates(name, file)
    options = ["--compose-file", str(STACK_FILE), "--resolve-image", "never", "--prune"]
    print(docker("stack", "deploy", *options, name, file=file))
    with console.status(f"{name}: rolling out"):
        _wait(name, before, file)


def config(file: DaprFile) -> str:
    """The stack file. Raises `StackError`."""
    return yaml.safe_dump(stackfile.content(file), sort_keys=False)


def down(file: DaprFile) -> None:
    """Volumes stay."""
    print(docker("stack", "rm", _name(), file=file))


def _name() -> str:
    return str(yaml.safe_load(COMPOSE_FILE.read_text())["name"])


def _wait(name: str, before: Updates, file: DaprFile) -> None:
    deadline = time.monotonic() + READY_SECONDS
    # An update shows itself only when the orchestrator has seen it.
    time.sleep(3)
    while behind := [*_missing(name, file), *_updating(name, before, file)]:
        if time.monotonic() > deadline:
            raise StackError(
                f"not up after {READY_SECONDS} s: {', '.join(behind)}\n"
                + docker("stack", "ps", "--no-trunc", name, file=file)
            )
        time.sleep(1)


def _missing(name: str, file: DaprFile) -> list[str]:
    """Services with fewer healthy tasks than they should have."""
    lines = docker("stack", "services", name, file=file).splitlines()[1:]
    replicas = {line.split()[1]: line.split()[3] for line in lines}
    return [f"{name} {count}" for name, count in replicas.items() if len({*count.split("/")}) > 1]


def _updating(name: str, before: Updates, file: DaprFile) -> list[str]:
    """Services in the middle of an update. Raises `StackError` for one that was taken back."""
    found = []
    for service, update in _updates(name, file).items():
        if update == before.get(service) or update["State"] == "completed":
            continue
        if update["State"] in TAKEN_BACK:
            how = update["State"].replace("_", " ")
            raise StackError(f"{service}: {how}: {update['Message']}")
        found.append(f"{service} {update['State']}")
    return found


def _updates(name: str, file: DaprFile) -> Updates:
    """How the last update of each service went; none for one that was never updated."""
    label = f"label=com.docker.stack.namespace={name}"
    services = docker("service", "ls", "--quiet", "--filter", label, file=file).split()
    if not services:
        return {}
    inspected = json.loads(docker("service", "inspect", *services, file=file))
    return {
        each["Spec"]["Name"]: each["UpdateStatus"] for each in inspected if each.get("UpdateStatus")
    }
