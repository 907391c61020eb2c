"""The stack file: the services of deploy/compose, with what deploy/swarm says of each role.

Swarm knows no include, no build and no order of start. What Compose mounts as a file becomes a
config, under a name that changes with its content.
"""

import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any

import yaml

from workspace import deployment, memberfile, tokens
from workspace.daprfile import ROOT, DaprFile

SWARM = ROOT / "deploy" / "swarm"
MADE = ROOT / ".run" / "swarm"

#: What a service may say to Swarm; the rest of Compose is of no use to it.
KNOWN = (
    *("image", "user", "hostname", "command", "entrypoint", "environment", "healthcheck"),
    *("read_only", "cap_drop", "stop_grace_period", "secrets", "networks", "configs"),
    "logging",
)

#: What is for sidecars is not let in, however its path is written. Dead letters and the list of
#: processes are, for `workspace dead-letters` and `workspace processes`, which show a token: the
#: service looks whether it is the right one.
LISTEN = Template("""
listen $app_id
    bind :$app_port
    acl internal path,url_dec -m reg ^/(metrics|docs|redoc|openapi.json|dapr|events|commands)(/|$$)
    acl of-operators path,url_dec -m reg ^/(dead-letters|processes)(/|$$)
    acl token req.hdr($token) -m found
    http-request deny deny_status 404 if internal or of-operators !token
    option httpchk GET $ready
    server-template replica 1-16 $app_id:$app_port
""")

Mapping = dict[str, Any]


def content(file: DaprFile) -> Mapping:
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
            name: {
                "driver": "overlay",
                "internal": bool((each or {}).get("internal")),
                # Between nodes, where others may listen.
                "driver_opts": {"encrypted": ""},
            }
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
    read = ["compose", *deployment.compose_files(), "config", "--format", "json"]
    composed: Mapping = json.loads(deployment.docker(*read, file=file))
    return composed


def _service(
    name: str, service: Mapping, roles: Mapping, file: DaprFile, configs: dict[str, Path]
) -> Mapping:
    mounts = service.get("volumes", [])
    files = [mount for mount in mounts if mount["type"] == "bind"]
    # On a server for the state, the volume of a sidecar stays empty.
    is_empty = name.endswith("-dapr") and deployment.environment(file)["STORE"] != "sqlite"
    volumes = [] if is_empty else [mount for mount in mounts if mount["type"] == "volume"]
    role = _role(name, file, bool(volumes))
    made = {key: service[key] for key in KNOWN if service.get(key) is not None}
    made["networks"] = list(service["networks"])
    made["environment"] = {
        key: value for key, value in service.get("environment", {}).items() if value is not None
    }
    kept = [{key: mount[key] for key in ("type", "source", "target")} for mount in volumes]
    memory = [{"type": "tmpfs", "target": each["target"]} for each in mounts if _is_memory(each)]
    if kept or memory:
        made["volumes"] = [*kept, *memory]
    made["configs"] = [
        *service.get("configs", []),
        *(each for mount in files for each in _configs(mount, file, configs)),
    ]
    # An image of another language brings its own.
    if "healthcheck" in roles[role] and "healthcheck" in service:
        made["healthcheck"] = {**service["healthcheck"], **roles[role]["healthcheck"]}
    limits = service["deploy"]["resources"]["limits"]
    made["deploy"] = {
        **roles[role]["deploy"],
        "resources": {"limits": {**limits, "cpus": str(limits["cpus"])}},
    }
    return made


def _is_memory(mount: Mapping) -> bool:
    return bool(mount["type"] == "tmpfs")


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
        LISTEN.substitute(
            app_id=app.app_id,
            app_port=app.app_port,
            ready=memberfile.or_chassis(app.app_id).ready,
            token=tokens.HEADER,
        )
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
    digest = hashlib.sha256(name.encode() + path.read_bytes()).hexdigest()[:12]
    return {"file": str(path), "name": f"{project[:24]}-{name[:26]}-{digest}"}
