"""A rendered workspace to measure: each measurement on a stack of its own, from empty."""

import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parent.parent
LOAD = ROOT / "benchmarks" / "load.py"


@dataclass(frozen=True)
class Measured:
    orders_per_second: float
    failed: int
    dead_letters: int


@contextmanager
def rendered() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(cookiecutter(str(ROOT), no_input=True, output_dir=folder))
        subprocess.run(["uv", "sync", "--quiet"], cwd=workspace, check=True)
        yield workspace


def measure(workspace: Path, orders: int, skus: int = 1) -> Measured:
    """Choreography: all orders at once, each for one of so many SKUs."""
    python = str(workspace / ".venv" / "bin" / "python")
    try:
        _run([python, "-m", "devstack", "up"], workspace)
        # Not measured: the first orders load code and open connections.
        _run([python, str(LOAD), "100", str(skus)], workspace)
        output = _run([python, str(LOAD), str(orders), str(skus)], workspace)
        return Measured(**json.loads(output))
    finally:
        _run([python, "-m", "devstack", "down"], workspace)
        for left in ("data", ".run", ".dapr"):
            shutil.rmtree(workspace / left, ignore_errors=True)


def alternating(
    rounds: int, peers: Mapping[str, Callable[[], Measured]]
) -> dict[str, list[Measured]]:
    """Each peer in turn, so that what else this machine does meets all of them."""
    results: dict[str, list[Measured]] = {name: [] for name in peers}
    for number in range(rounds):
        for name, run in peers.items():
            measured = run()
            results[name].append(measured)
            print(f"round {number + 1}: {name:10} {_one(measured)}", flush=True)
    return results


def show(results: Mapping[str, Sequence[Measured]]) -> None:
    """The peers, and the ratio of the first one to the second, round by round."""
    first, second = results.values()
    for name, measured in results.items():
        print(f"{name:10} {_spread([each.orders_per_second for each in measured])} orders/s")
    pairs = zip(first, second, strict=True)
    print(f"ratio      {_spread([a.orders_per_second / b.orders_per_second for a, b in pairs])}")


def _one(measured: Measured) -> str:
    return (
        f"{measured.orders_per_second:6.1f} orders/s, {measured.failed} failed, "
        f"{measured.dead_letters} dead-lettered"
    )


def _spread(values: Sequence[float]) -> str:
    return f"median {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _run(command: list[str], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout
