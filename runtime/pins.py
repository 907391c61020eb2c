"""What is pinned: versions, the Go modules that hold every dependency, and this platform."""

import hashlib
import platform
import re
from pathlib import Path

DAPR = "1.18.2"
CLI = "1.16.5"
CONTROL_PLANE = ("placement", "scheduler", "sentry")
RUNTIME_BINARIES = ("daprd", *CONTROL_PLANE)
BINARIES = (*RUNTIME_BINARIES, "dapr")

MODULES = Path(__file__).parent / "modules"
RUNTIME_MODULE = MODULES / "daprd"
CLI_MODULE = MODULES / "cli"

OS = platform.system().lower()
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv6l": "arm", "armv7l": "arm"}
ARCH = _MACHINES.get(platform.machine(), platform.machine())

Version = tuple[int, int, int]


def version_in(text: str) -> Version | None:
    """The first version in a text; a missing patch counts as 0. None when there is none."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def fits(found: Version, pinned: str) -> bool:
    """Same major, and at least the pinned minor."""
    major, minor, _ = found
    wanted = version_in(pinned)
    return wanted is not None and major == wanted[0] and minor >= wanted[1]


def key() -> str:
    """Changes with the versions, the platform and anything in the two Go modules."""
    digest = hashlib.sha256(f"{CLI}\n".encode())
    for module in (RUNTIME_MODULE, CLI_MODULE):
        for name in ("go.mod", "go.sum"):
            digest.update((module / name).read_bytes())
    return f"{DAPR}-{OS}-{ARCH}-{digest.hexdigest()[:12]}"
