"""Restart an app when its code changes, and no sidecar."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from watchfiles import watch

from workspace import apps, stack
from workspace.daprfile import ROOT
from workspace.errors import StackError

console = Console(stderr=True, highlight=False)

#: What every service in Python runs, besides its own code.
SHARED = ("contracts/src", "libs/chassis/src")


def dev() -> None:
    """Until Ctrl-C. A change that does not start leaves its app down until the next one."""
    with stack.running() as file:
        folders = [ROOT / folder for folder in ("services", *SHARED)]
        said = False
        # The first yield without a change says that the watch stands.
        for changes in watch(*folders, rust_timeout=500, yield_on_timeout=True):
            if not said:
                console.print("watching services/, contracts/ and libs/chassis/; Ctrl-C ends it")
                said = True
            for name in affected(file.apps, (Path(path) for _, path in changes)):
                _restart(name)


def _restart(name: str) -> None:
    try:
        apps.restart(apps.named(name))
    except StackError as error:
        console.print(str(error), markup=False, soft_wrap=True)


def affected(names: Iterable[str], paths: Iterable[Path], root: Path = ROOT) -> Iterator[str]:
    """The apps that run what is at these paths, in the order of dapr.yaml."""
    parts = [path.relative_to(root).parts for path in paths if path.suffix != ".md"]
    for name in names:
        if any(_runs(name, each) for each in parts):
            yield name


def _runs(name: str, path: tuple[str, ...]) -> bool:
    if path[0] == "services":
        return path[1] == name and "tests" not in path
    return True
