"""Source 1: what `dapr init` installed on this machine."""

import os
import shutil
import socket
from pathlib import Path

from runtime import limits, pins
from runtime.commands import CommandFailed, run
from runtime.failures import SourceFailed

# Where `dapr init` with Docker publishes placement and scheduler.
CONTAINER_PORTS = (50005, 50006)
ADVICE = "run `dapr init` (with Docker) or `dapr init --slim` (without)"


def find() -> Path:
    """The home directory, when its `.dapr` is complete and fits. Raises `SourceFailed`."""
    dapr = Path.home() / ".dapr"
    binaries = dapr / "bin"
    daprd = binaries / "daprd"
    cli = shutil.which("dapr", path=f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}")
    if not daprd.is_file():
        raise SourceFailed("look for daprd", f"there is no {daprd}", ADVICE)
    if cli is None:
        raise SourceFailed("look for the CLI", "there is no `dapr` on PATH", "install the Dapr CLI")
    _check(str(daprd), "Runtime version", pins.DAPR)
    _check(cli, "CLI version", pins.CLI)
    if not (dapr / "config.yaml").is_file():
        reason = f"there is no {dapr / 'config.yaml'}"
        raise SourceFailed("look for the configuration", reason, ADVICE)
    slim = all((binaries / name).is_file() for name in ("placement", "scheduler"))
    if not slim and not all(map(_answers, CONTAINER_PORTS)):
        reason = (
            f"{binaries} has not both of placement and scheduler, and no containers answer on "
            f"ports {' and '.join(map(str, CONTAINER_PORTS))}"
        )
        raise SourceFailed("look for placement and scheduler", reason, f"start Docker, or {ADVICE}")
    return Path.home()


def _check(program: str, label: str, pinned: str) -> None:
    step = f"ask {program} for its version"
    try:
        answer = run([program, "--version"], seconds=limits.VERSION)
    except CommandFailed as error:
        raise SourceFailed(step, str(error), ADVICE) from error
    # The CLI names the version of the runtime too; daprd prints nothing but its own.
    own = next((line for line in answer.splitlines() if label in line), answer)
    found = pins.version_in(own)
    if found is None or not pins.fits(found, pinned):
        major, minor, _ = pinned.split(".")
        reason = f"{own.strip() or 'nothing'!r} does not fit: {major}.{minor} or a later {major}.x"
        advice = f"bring it to {pinned} (for daprd: `dapr init --runtime-version {pins.DAPR}`)"
        raise SourceFailed(step, reason, advice)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=limits.network()):
            return True
    except OSError:
        return False
