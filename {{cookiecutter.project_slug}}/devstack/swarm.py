"""The stack: the services of deploy/compose, with what deploy/swarm says of each role.

python -m devstack.swarm config | up | down. Swarm knows no include, no build and no order of start;
what Compose mounts as a file becomes a config, under a name that changes with its content.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from devstack import deployment
from devstack.daprfile import ROOT, DaprFile
from devstack.errors import StackError

COMPOSE_FILE = ROOT / "deploy" / "compose" / "compose.yaml"
SWARM = ROOT / "deploy" / "swarm"
MADE = ROOT / ".run" / "swarm"
READY_SECONDS = 300

#: What a service may say to Swarm; the rest of Compose is of no use to it.
KNOWN = (
    *("image", "user", "hostname", "command", "entrypoint", "environment", "healthcheck"),
    *("read_only", "cap_drop", "stop_grace_period", "secrets", "networks", "configs"),
)

Mapping = dict[str, Any]


def stack(file: DaprFile) -> Mapping:
    """The content of a stack file. Makes secrets and the edge's configuration on the way."""
    deployment.make_secrets(file)
    composed = _composed(file)
    roles = yaml.safe_load((SWARM / "roles.yaml").read_text())
    configs: dict[str, Path] = {
        name: Path(each["file"]) for name, each in composed.get("configs", {}).items()
    }
    services = {
        name: _service(name, service, roles, file, configs)
        for name, service in composed["services"].items()
        if service.get("deploy", {}).get("replicas") != 0
    }
    services["edge"] = _edge(roles["edge"], file, configs)
    secrets = {name: Path(each["file"]) for name, each in composed["secrets"].items()}
    return {
        "version": "3.8",
        "services": services,
        "networks": {
            name: {"driver": "overlay", "internal": bool((each or {}).get("internal"))}
            for name, each in composed["networks"].items()
        },
        "volumes": {name: {} for name in composed.get("volumes", {})},
        "configs": {
            name: _versioned(composed["name"], name, path) for name, path in configs.items()
        },
        "secrets": {
            name: _versioned(composed["name"], name, path) for name, path in secrets.items()
        },
    }


def _composed(file: DaprFile) -> Mapping:
    """The services of deploy/compose, as Compose itself reads them."""
    done = _docker("compose", "--file", str(COMPOSE_FILE), "config", "--format", "json", file=file)
    composed: Mapping = json.loads(done)
    return composed


def _service(
    name: str, service: Mapping, roles: Mapping, file: DaprFile, configs: dict[str, Path]
) -> Mapping:
    mounts = service.get("volumes", [])
    files = [mount for mount in mounts if mount["type"] == "bind"]
    # On a server for the state, the volume of a sidecar stays empty.
    keeps = name.endswith("-dapr") and deployment.environment(file)["STORE"] != "sqlite"
    volumes = [] if keeps else [mount for mount in mounts if mount["type"] == "volume"]
    role = _role(name, file, bool(volumes))
    made = {key: service[key] for key in KNOWN if service.get(key) is not None}
    made["networks"] = list(service["networks"])
    made["environment"] = {
        key: value for key, value in service.get("environment", {}).items() if value is not None
    }
    if volumes:
        made["volumes"] = [
            {"type": "volume", "source": mount["source"], "target": mount["target"]}
            for mount in volumes
        ]
    made["configs"] = [
        *service.get("configs", []),
        *(each for mount in files for each in _configs(mount, file, configs)),
    ]
    if "healthcheck" in roles[role]:
        made["healthcheck"] = {**service["healthcheck"], **roles[role]["healthcheck"]}
    limits = service["deploy"]["resources"]["limits"]
    made["deploy"] = {
        **roles[role]["deploy"],
        "resources": {"limits": {**limits, "cpus": str(limits["cpus"])}},
    }
    return made


def _role(name: str, file: DaprFile, has_volume: bool) -> str:
    if name in file.apps:
        return "service"
    if has_volume:
        return "stateful"
    return "sidecar" if name.removesuffix("-dapr") in file.apps else "single"


def _configs(mount: Mapping, file: DaprFile, configs: dict[str, Path]) -> list[Mapping]:
    """The files below a mount, each as a config at the place where Compose would mount it."""
    source, target = Path(mount["source"]), Path(mount["target"])
    if source.is_file():
        found = {source: target}
    else:
        folders = [ROOT / folder for folder in file.resources]
        paths = [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
        found = {path: target / path.relative_to(source) for path in paths}
    for path in found:
        configs[path.stem] = path
    return [{"source": path.stem, "target": str(place)} for path, place in found.items()]


def _edge(edge: Mapping, file: DaprFile, configs: dict[str, Path]) -> Mapping:
    """What lets requests in, at the ports of dapr.yaml."""
    sections = [
        f"\nlisten {app.app_id}\n"
        f"    bind :{app.app_port}\n"
        "    option httpchk GET /readyz\n"
        f"    server-template replica 1-16 {app.app_id}:{app.app_port}\n"
        for app in file.apps.values()
    ]
    MADE.mkdir(parents=True, exist_ok=True)
    configs["edge"] = MADE / "edge.cfg"
    configs["edge"].write_text((SWARM / "edge.cfg").read_text() + "".join(sections))
    return {
        **edge,
        "configs": [{"source": "edge", "target": "/usr/local/etc/haproxy/haproxy.cfg"}],
        "networks": list(file.apps),
        "ports": [
            {"target": app.app_port, "published": app.app_port, "mode": "host"}
            for app in file.apps.values()
        ],
    }


def _versioned(project: str, name: str, path: Path) -> Mapping:
    # What Swarm has cannot change: other content is another config. It takes 64 characters.
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return {"file": str(path), "name": f"{project[:24]}-{name}-{digest}"}


def up(file: DaprFile) -> None:
    """Deploy, and return when all tasks are healthy. Raises `StackError`."""
    MADE.mkdir(parents=True, exist_ok=True)
    content, target = stack(file), MADE / "stack.yaml"
    target.write_text(yaml.safe_dump(content, sort_keys=False))
    if not _docker("node", "ls", "--quiet", "--filter", "node.label=state=true", file=file):
        # Somewhere must the volumes be, and stay.
        (node,) = json.loads(_docker("node", "inspect", "self", file=file))
        _docker("node", "update", "--label-add", "state=true", node["ID"], file=file)
    name = _name(file)
    options = ["--compose-file", str(target), "--resolve-image", "never", "--prune"]
    print(_docker("stack", "deploy", *options, name, file=file))
    _wait(name, file)


def down(file: DaprFile) -> None:
    """Volumes stay."""
    print(_docker("stack", "rm", _name(file), file=file))


def _name(file: DaprFile) -> str:
    return str(yaml.safe_load(COMPOSE_FILE.read_text())["name"])


def _wait(name: str, file: DaprFile) -> None:
    deadline = time.monotonic() + READY_SECONDS
    # An update shows itself only when the orchestrator has seen it.
    time.sleep(3)
    while behind := _behind(name, file):
        if time.monotonic() > deadline:
            raise StackError(
                f"not up after {READY_SECONDS} s: {', '.join(behind)}\n"
                + _docker("stack", "ps", "--no-trunc", name, file=file)
            )
        time.sleep(1)


def _behind(name: str, file: DaprFile) -> list[str]:
    """Services with fewer healthy tasks than they should have, or in the middle of an update.

    Raises `StackError` for one whose update was taken back.
    """
    lines = [
        line.split() for line in _docker("stack", "services", name, file=file).splitlines()[1:]
    ]
    behind = [f"{line[1]} {line[3]}" for line in lines if len(set(line[3].split("/"))) > 1]
    for service in json.loads(
        _docker("service", "inspect", *(line[0] for line in lines), file=file)
    ):
        update = service.get("UpdateStatus") or {}
        state, service_name = update.get("State", "completed"), service["Spec"]["Name"]
        if state in ("rollback_completed", "rollback_paused", "paused"):
            raise StackError(f"{service_name}: {state.replace('_', ' ')}: {update['Message']}")
        if state != "completed":
            behind.append(f"{service_name} {state}")
    return behind


def _docker(*arguments: str, file: DaprFile) -> str:
    """What it prints. Raises `StackError` with what it complains of."""
    done = subprocess.run(
        ["docker", *arguments],
        env={**os.environ, **deployment.environment(file)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StackError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def main(command: str) -> None:
    file = DaprFile()
    if command == "config":
        print(yaml.safe_dump(stack(file), sort_keys=False))
    elif command == "up":
        up(file)
    else:
        down(file)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except StackError as error:
        sys.exit(str(error))
