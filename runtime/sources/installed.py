"""Source 1: what ``dapr init`` installed in the home folder."""

import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from runtime import pins
from runtime.command import ask
from runtime.failure import Failure
from runtime.identity import check_version

# Where `dapr init` publishes its containers; a slim install has executables instead.
_CONTAINER_PORTS = {"placement": 50005, "scheduler": 50006}
_CONNECT_SECONDS = 0.5
_INIT = f"`dapr init --runtime-version {pins.RUNTIME_VERSION}` (with --slim if you have no Docker)"


def find() -> Path:
    """The home folder, if it holds a runtime that fits; the CLI may be anywhere on PATH."""
    installation = Path.home() / ".dapr"
    daprd = installation / "bin" / "daprd"
    if not daprd.exists():
        raise Failure("look for daprd", f"there is no {daprd}", f"run {_INIT}")
    check_version(daprd, pins.RUNTIME_VERSION, f"run `dapr uninstall`, then {_INIT}")

    beside = installation / "bin" / pins.CLI_BINARY
    cli = str(beside) if beside.exists() else shutil.which(pins.CLI_BINARY)
    install_cli = f"install the Dapr CLI {pins.CLI_VERSION} on PATH"
    if cli is None:
        raise Failure("look for the dapr CLI", "there is none on PATH", install_cli)
    check_version(Path(cli), pins.CLI_VERSION, install_cli)

    if not (installation / "config.yaml").exists():
        raise Failure(
            "look for its configuration", f"no {installation}/config.yaml", f"run {_INIT}"
        )
    check_control_plane(installation / "bin")
    return Path.home()


def newer() -> str | None:
    """What its daprd says, if that is a later minor than the pinned one."""
    said = ask([Path.home() / ".dapr" / "bin" / "daprd", "--version"]).partition("\n")[0].strip()
    found, pinned = pins.version(said), pins.version(pins.RUNTIME_VERSION)
    return said if found and pinned and found[:2] > pinned[:2] else None


def check_control_plane(programs: Path, ports: Mapping[str, int] = _CONTAINER_PORTS) -> None:
    """Raise Failure unless placement and scheduler are executables or answer on their ports."""
    for name, port in ports.items():
        if not os.access(programs / name, os.X_OK) and not _answers(port):
            raise Failure(
                f"look for {name}",
                f"there is no {programs / name} and nothing answers on port {port}",
                f"start the containers of `dapr init` (`docker start dapr_{name}`), or run {_INIT}",
            )


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
