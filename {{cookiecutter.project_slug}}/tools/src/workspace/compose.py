"""The containers of deploy/compose, on the broker and the store of dapr.yaml."""

import os
import subprocess

from workspace.daprfile import DaprFile
from workspace.deployment import compose_files, docker, environment, make_secrets
from workspace.errors import StackError

READY_SECONDS = 240


def build(file: DaprFile) -> None:
    """The image of each service, and that of its sidecar. Raises `StackError`."""
    _compose(file, "build")


def up(file: DaprFile) -> None:
    """Return when all is ready. Raises `StackError`."""
    build(file)
    _compose(file, "up", "--detach", "--wait", "--wait-timeout", str(READY_SECONDS))


def replace(file: DaprFile, service: str) -> None:
    """New containers of one service, or of one sidecar, from a new image. Raises `StackError`."""
    build(file)
    _compose(file, "up", "--detach", "--wait", "--no-deps", "--force-recreate", service)


def down(file: DaprFile) -> None:
    """Volumes stay. Raises `StackError`."""
    _compose(file, "down")


def _require_plugin(file: DaprFile) -> None:
    try:
        docker("compose", "version", file=file)
    except StackError as error:
        raise StackError(
            f"{error}\nDocker is needed with its Compose plugin, 2.24 or newer."
        ) from error


def _compose(file: DaprFile, *arguments: str) -> None:
    _require_plugin(file)
    make_secrets(file)
    command = ["docker", "compose", *compose_files(), *arguments]
    # Docker shows its progress itself, and why it failed.
    done = subprocess.run(command, env={**os.environ, **environment(file)})
    if done.returncode:
        raise StackError(f"docker compose {arguments[0]}: exit code {done.returncode}, see above")
