"""Schedules a second, in each style, on one core. In a rendered workspace:

.venv/bin/python <template>/benchmarks/simulation.py [--seconds 20]
"""

import argparse
import statistics
import sys
import time
from itertools import count
from pathlib import Path

# The workspace's own top-level packages.
sys.path.insert(0, str(Path.cwd()))

from tests.simulation.fulfilment import RUNNERS, Runner, simulation

#: Schedules between two looks at the clock.
BATCH = 20


def measure(runner: Runner, seconds: float) -> tuple[float, float]:
    """Schedules a second, and how many lines the story of one has."""
    fulfilment = simulation(runner)
    # Composes the services and measures how long a run is.
    fulfilment.explore(1)
    lengths = [len(fulfilment.seeded(seed).story) for seed in range(50)]
    began = time.perf_counter()
    for batch in count():
        fulfilment.explore(BATCH, batch * BATCH)
        spent = time.perf_counter() - began
        if spent > seconds:
            return (batch + 1) * BATCH / spent, statistics.median(lengths)
    raise AssertionError


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each style")
    seconds = parser.parse_args().seconds
    print(f"{'style':<14} {'schedules/s':>11} {'a minute':>9} {'events in one':>14}")
    for runner in RUNNERS:
        rate, events = measure(runner, seconds)
        print(f"{runner!s:<14} {rate:>11.0f} {rate * 60:>9.0f} {events:>14.0f}")


if __name__ == "__main__":
    main()
