"""python -m benchmarks [--rounds 5] [--orders 1000]: both peers in turn, and their ratio.

Both run on the same broker, store, sidecars and settings, each from empty; only the Python differs.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parent.parent
PEERS = ("generated", "quickstart")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(cookiecutter(str(ROOT), no_input=True, output_dir=folder))
        subprocess.run(["uv", "sync", "--quiet"], cwd=workspace, check=True)
        run_files = _run_files(workspace)
        results: dict[str, list[float]] = {peer: [] for peer in PEERS}
        for number in range(arguments.rounds):
            for peer in PEERS:
                (workspace / "dapr.yaml").write_text(run_files[peer])
                rate = _measure(workspace, arguments.orders)
                results[peer].append(rate)
                print(f"round {number + 1}: {peer:10} {rate:6.1f} orders/s", flush=True)
    ratios = [new / old for new, old in zip(*(results[peer] for peer in PEERS), strict=True)]
    for peer in PEERS:
        print(f"{peer:10} {_spread(results[peer])} orders/s")
    print(f"ratio      {_spread(ratios)}")


def _run_files(workspace: Path) -> dict[str, str]:
    """dapr.yaml for each peer: the same but for the app that uvicorn serves."""
    shutil.copytree(ROOT / "benchmarks" / "quickstart", workspace / "quickstart")
    generated = (workspace / "dapr.yaml").read_text()
    quickstart = generated.replace("uvicorn, ", "uvicorn, --app-dir, quickstart, ")
    return {"generated": generated, "quickstart": quickstart.replace(".main:app", ":app")}


def _measure(workspace: Path, orders: int) -> float:
    python = str(workspace / ".venv" / "bin" / "python")
    try:
        _run([python, "-m", "devstack", "up"], workspace)
        # Not measured: the first orders load code and open connections.
        _run([python, str(ROOT / "benchmarks" / "load.py"), "100"], workspace)
        output = _run([python, str(ROOT / "benchmarks" / "load.py"), str(orders)], workspace)
        return float(json.loads(output)["orders_per_second"])
    finally:
        _run([python, "-m", "devstack", "down"], workspace)
        for left in ("data", ".run", ".dapr"):
            shutil.rmtree(workspace / left, ignore_errors=True)


def _run(command: list[str], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def _spread(values: list[float]) -> str:
    return f"median {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
