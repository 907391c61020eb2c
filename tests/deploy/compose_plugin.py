"""Docker Compose: the machine's own, or else built from its pinned Go module, and cached."""

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from runtime import cache
from runtime.command import run
from runtime.progress import Progress
from runtime.sources import toolchain

MODULE = Path(__file__).parent / "plugin"
PACKAGE = "github.com/docker/compose/v2"
BUILD_SECONDS = 900.0
PLUGINS = "{{range .ClientInfo.Plugins}}{{.Name}} {{.Path}}\n{{end}}"


def find() -> Path:
    """The program, which works as `docker-compose`, too. Raises `runtime.failure.Failure`."""
    installed = Path(_installed())
    if installed.is_file():
        return installed
    version = _pinned()
    sums = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()[:12]
    program = cache.root().parent / "compose" / f"{version}-{sums}" / "docker-compose"
    if not program.exists():
        _build(program, version)
    return program


def _installed() -> str:
    """Where the Docker CLI has it; empty where there is none of version 2 or newer."""
    docker = shutil.which("docker")
    if docker is None:
        return ""
    listed = [docker, "info", "--format", PLUGINS]
    said = subprocess.run(listed, capture_output=True, text=True, timeout=20).stdout
    plugins = dict(line.split(maxsplit=1) for line in said.splitlines() if " " in line)
    return plugins.get("compose", "")


def _pinned() -> str:
    lines = (MODULE / "go.mod").read_text().splitlines()
    (line,) = (line for line in lines if line.split()[:1] == [PACKAGE])
    return line.split()[1]


def _build(program: Path, version: str) -> None:
    progress = Progress()
    deadline = time.monotonic() + BUILD_SECONDS
    with cache.locked(progress):
        go = toolchain.find(progress, deadline)
        program.parent.mkdir(parents=True, exist_ok=True)
        partial = program.with_suffix(f".{os.getpid()}")
        progress.say(f"building Docker Compose {version}; the first time takes some minutes")
        stamp = f"-s -w -X {PACKAGE}/internal.Version={version}"
        run(
            [
                *(go, "build", "-v", "-mod=readonly", "-trimpath", "-ldflags", stamp),
                *("-o", partial, f"{PACKAGE}/cmd"),
            ],
            step=f"build Docker Compose {version}",
            advice="install the plugin docker-compose-v2, or give Go its module proxy",
            deadline=deadline,
            watch=lambda lines: progress.update(f"Docker Compose: {len(lines)} lines of go build"),
            cwd=MODULE,
            env=toolchain.environment(),
        )
        partial.rename(program)
    progress.close()
