"""Which versions this runtime is made of, and for which platform.

The two ``go.mod`` files are the only place that names a version: a bump is a ``go get`` there,
and the archives, the build and the cache follow it.
"""

import hashlib
import platform
import re
from pathlib import Path

MODULES = Path(__file__).parent / "modules"
RUNTIME_MODULE = MODULES / "daprd"
CLI_MODULE = MODULES / "cli"

RUNTIME_BINARIES = ("daprd", "placement", "scheduler", "sentry")
CLI_BINARY = "dapr"
BINARIES = (*RUNTIME_BINARIES, CLI_BINARY)

#: Which components a build has in it: all, as the official archives do. Go's name of a build tag.
COMPONENTS = "allcomponents"

Version = tuple[int, int, int]

_ARCHITECTURES = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "arm",
}


def _pinned(module: Path, directive: str) -> str:
    found = re.search(
        rf"^\s*(?:require\s+)?{re.escape(directive)} v?([\d.]+)$",
        (module / "go.mod").read_text(),
        re.MULTILINE,
    )
    if found is None:
        raise ValueError(f"{module / 'go.mod'} pins no version of {directive}")
    return found[1]


RUNTIME_VERSION = _pinned(RUNTIME_MODULE, "github.com/dapr/dapr")
CLI_VERSION = _pinned(CLI_MODULE, "github.com/dapr/cli")
GO_VERSION = _pinned(RUNTIME_MODULE, "go")


def version(text: str) -> Version | None:
    """The first ``major.minor[.patch]`` in a program's answer, or None."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def fits(found: Version, pinned: str) -> bool:
    """Whether an installed version can stand in for the pinned one: same major, no older minor."""
    wanted = version(pinned)
    return wanted is not None and found[0] == wanted[0] and found[1] >= wanted[1]


def target() -> tuple[str, str]:
    """This machine as (operating system, architecture), in Go's and the archives' spelling."""
    machine = platform.machine().lower()
    return platform.system().lower(), _ARCHITECTURES.get(machine, machine)


def key() -> str:
    """Names the one runtime that these pins give on this platform."""
    digest = hashlib.sha256(COMPONENTS.encode())
    for module in (RUNTIME_MODULE, CLI_MODULE):
        for name in ("go.mod", "go.sum"):
            digest.update((module / name).read_bytes())
    return "-".join((RUNTIME_VERSION, CLI_VERSION, *target(), digest.hexdigest()[:12]))
