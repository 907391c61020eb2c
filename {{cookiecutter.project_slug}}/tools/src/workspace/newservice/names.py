"""Whether a service may have a name, and which ports are free for it."""

import keyword
import re
import sys
from importlib.util import find_spec

from workspace.daprfile import ROOT, DaprFile, package_of
from workspace.errors import StackError

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_NAME = 40
FIRST_PORT, LAST_PORT = 8001, 8099


def check(name: str) -> None:
    """Raises `StackError` for what cannot name an app, a folder and a package."""
    package = package_of(name)
    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise StackError(
            f"{name!r} cannot name a service: give 1 to {MAX_NAME} lower-case letters and digits, "
            "a letter first, with single hyphens between words, such as fraud-check."
        )
    if (ROOT / "services" / name).exists() or name in DaprFile().apps:
        raise StackError(f"there is a service {name} already: give another name.")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or _is_taken(package):
        raise StackError(
            f"{name!r} would hide a package of that name: put a word before it, such as my-{name}."
        )


def _is_taken(package: str) -> bool:
    return (ROOT / package).exists() or find_spec(package) is not None


def free_port(apps: DaprFile) -> int:
    """Of the app; those of its sidecar end in the same two digits."""
    taken = {port for app in apps.apps.values() for port in app.ports}
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if taken.isdisjoint(ports(port).values()):
            return port
    raise StackError(f"dapr.yaml has an app on each port from {FIRST_PORT} to {LAST_PORT}.")


def ports(app_port: int) -> dict[str, int]:
    last = app_port % 100
    return {
        "appPort": app_port,
        "daprHTTPPort": 3500 + last,
        "daprGRPCPort": 3600 + last,
        "metricsPort": 9100 + last,
    }
