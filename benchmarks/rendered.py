"""A rendered workspace to measure: each measurement on a stack of its own, from empty."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parent.parent
LOAD = ROOT / "benchmarks" / "load.py"
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Measured:
    orders_per_second: float
    failed: int
    dead_letters: int


@contextmanager
def rendered() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(cookiecutter(str(ROOT), no_input=True, output_dir=folder))
        subprocess.run(["make", "--silent", "setup"], cwd=workspace, check=True)
        yield workspace


def measure(
    workspace: Path, orders: int, skus: int = 1, environment: Mapping[str, str] = NOTHING
) -> Measured:
    """Choreography: all orders at once, each for one of so many SKUs."""
    load = [str(LOAD), str(orders), str(skus)]
    try:
        command(workspace, ["up"], environment)
        # Not measured: the first orders load code and open connections.
        run(workspace, [str(LOAD), "100", str(skus)])
        return Measured(**json.loads(run(workspace, load)))
    finally:
        command(workspace, ["down"])
        clean(workspace)


def measure_as(
    workspace: Path, run_file: str, orders: int, environment: Mapping[str, str] = NOTHING
) -> Measured:
    """As `measure`, with this dapr.yaml in place of its own."""
    own = (workspace / "dapr.yaml").read_text()
    (workspace / "dapr.yaml").write_text(run_file)
    try:
        return measure(workspace, orders, environment=environment)
    finally:
        (workspace / "dapr.yaml").write_text(own)


def served_from(folder: str, run_file: str) -> str:
    """dapr.yaml for the apps of another folder: the same but for what uvicorn serves."""
    other = run_file.replace("uvicorn, --factory, ", f"uvicorn, --app-dir, {folder}, ")
    return other.replace(".main:app", ":app")


def use(workspace: Path, broker: str, store: str) -> None:
    command(workspace, ["use", "--broker", broker, "--store", store])


def clean(workspace: Path) -> None:
    """Forget what the stack, which is down, has stored and logged."""
    for left in ("data", ".run", ".dapr"):
        shutil.rmtree(workspace / left, ignore_errors=True)
    # `make setup` has made it, and SQLite makes none.
    (workspace / "data").mkdir()


def run(workspace: Path, arguments: list[str], environment: Mapping[str, str] = NOTHING) -> str:
    """What the workspace's Python prints. Raises SystemExit with its errors."""
    return _run(workspace, "python", arguments, environment)


def command(workspace: Path, arguments: list[str], environment: Mapping[str, str] = NOTHING) -> str:
    """What a command of the workspace prints. Raises SystemExit with its errors."""
    return _run(workspace, "workspace", arguments, environment)


def _run(
    workspace: Path, program: str, arguments: list[str], environment: Mapping[str, str]
) -> str:
    command = [str(workspace / ".venv" / "bin" / program), *arguments]
    done = subprocess.run(
        command, cwd=workspace, env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def alternating(
    rounds: int, peers: Mapping[str, Callable[[], Measured]]
) -> dict[str, list[Measured]]:
    """Each peer in turn, so that what else this machine does meets all of them."""
    results: dict[str, list[Measured]] = {name: [] for name in peers}
    for number in range(rounds):
        for name, run in peers.items():
            measured = run()
            results[name].append(measured)
            print(f"round {number + 1}: {name:14} {_one(measured)}", flush=True)
    return results


def show(results: Mapping[str, Sequence[Measured]]) -> None:
    """The peers, and the ratio of the first one to each of the others, round by round."""
    for name, measured in results.items():
        print(f"{name:14} {spread([each.orders_per_second for each in measured])} orders/s")
    (first, ours), *others = results.items()
    for name, theirs in others:
        pairs = zip(ours, theirs, strict=True)
        ratio = spread([a.orders_per_second / b.orders_per_second for a, b in pairs])
        print(f"{first} / {name}: {ratio}", flush=True)


def _one(measured: Measured) -> str:
    return (
        f"{measured.orders_per_second:6.1f} orders/s, {measured.failed} failed, "
        f"{measured.dead_letters} dead-lettered"
    )


def spread(values: Sequence[float]) -> str:
    return f"median {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
