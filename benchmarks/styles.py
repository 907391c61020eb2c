"""python -m benchmarks.styles [--rounds 5] [--orders 300]: the CPU of an order in each style.

All processes of the stack are counted. Two stacks, one after the other, because a service runs a
saga as one hybrid: first the three styles with the process manager, then choreography and the
hybrid on the workflow engine. In each round every style moves the orders, in another order of
styles than in the round before.
"""

import argparse
import json
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rendered import ROOT, clean, command, rendered, run, spread

LOAD = ROOT / "benchmarks" / "cost" / "load.py"
CHOREOGRAPHY, ORCHESTRATION, HYBRID = "choreography", "orchestration", "hybrid"
WARM_UP = 100


@dataclass(frozen=True)
class Cost:
    orders_per_second: float
    #: Milliseconds an order, by part of the stack.
    cpu: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.cpu.values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.styles", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=300)
    arguments = parser.parse_args()
    with rendered() as workspace:
        print("hybrid: the process manager", flush=True)
        with up(workspace):
            styles: tuple[str, ...] = (CHOREOGRAPHY, ORCHESTRATION, HYBRID)
            show(rounds(workspace, LOAD, styles, arguments.rounds, arguments.orders), CHOREOGRAPHY)
        print("\nhybrid: the workflow engine", flush=True)
        with on_workflow_engine(workspace), up(workspace):
            styles = (CHOREOGRAPHY, HYBRID)
            show(rounds(workspace, LOAD, styles, arguments.rounds, arguments.orders), CHOREOGRAPHY)


@contextmanager
def up(workspace: Path) -> Iterator[None]:
    try:
        command(workspace, ["up"])
        yield
    finally:
        command(workspace, ["down"])
        clean(workspace)


@contextmanager
def on_workflow_engine(workspace: Path) -> Iterator[None]:
    """dapr.yaml with the other composition of orders."""
    own = (workspace / "dapr.yaml").read_text()
    folder = workspace / "cost"
    shutil.copytree(ROOT / "benchmarks" / "cost", folder)
    other = own.replace('"orders.main:app"', "--app-dir, cost, workflow_engine:app")
    (workspace / "dapr.yaml").write_text(other)
    try:
        yield
    finally:
        (workspace / "dapr.yaml").write_text(own)
        shutil.rmtree(folder)


def rounds(
    workspace: Path, load: Path, styles: Sequence[str], count: int, orders: int
) -> Mapping[str, Sequence[Cost]]:
    costs: dict[str, list[Cost]] = {style: [] for style in styles}
    for style in styles:
        # Not measured: the first orders load code and open connections.
        move(workspace, load, style, WARM_UP)
    for number in range(count):
        first = number % len(styles)
        for style in (*styles[first:], *styles[:first]):
            cost = move(workspace, load, style, orders)
            costs[style].append(cost)
            print(f"round {number + 1}: {style:13} {cost.total:6.1f} ms, ", end="")
            print(f"{cost.orders_per_second:5.1f} orders/s", flush=True)
    return costs


def move(workspace: Path, load: Path, style: str, orders: int) -> Cost:
    return Cost(**json.loads(run(workspace, [str(load), str(orders), style])))


def show(costs: Mapping[str, Sequence[Cost]], base: str) -> None:
    others = costs[base]
    for style, measured in costs.items():
        ratios = [one.total / other.total for one, other in zip(measured, others, strict=True)]
        print(f"{style:13} CPU an order in ms: {spread([each.total for each in measured])}")
        for part in measured[0].cpu:
            median = statistics.median(each.cpu[part] for each in measured)
            print(f"{'':13}   {part:21} {median:6.2f}")
        print(f"{'':13} of {base} in the same round: {spread(ratios)}")
        print(f"{'':13} orders/s: {spread([each.orders_per_second for each in measured])}")


if __name__ == "__main__":
    main()
