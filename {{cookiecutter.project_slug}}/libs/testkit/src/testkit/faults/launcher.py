"""Serve one service with one thing about its chassis changed, in this process only.

python -m testkit.faults.launcher ALTERATION... [--nth N] [--topics A,B] [--seconds S] -- APP ...

What follows `--` is for uvicorn: `--factory rooms.main:app --port 8001`. Production code has no
hook.
"""

import argparse
import sys

import uvicorn.main

from testkit.faults.alterations import ALTERATIONS, Alteration


def main(arguments: list[str]) -> None:
    split = arguments.index("--")
    parser = argparse.ArgumentParser(prog="testkit.faults.launcher", description=__doc__)
    parser.add_argument("alterations", nargs="+", choices=ALTERATIONS)
    parser.add_argument("--nth", type=int, default=1, help="at this time, counted from 1")
    parser.add_argument("--topics", default="", help="only for these; empty: for all")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long, if it takes time")
    chosen = parser.parse_args(arguments[:split])
    topics = frozenset(topic for topic in chosen.topics.split(",") if topic)
    for name in chosen.alterations:
        ALTERATIONS[name](Alteration(chosen.nth, topics, chosen.seconds))
    sys.argv = ["uvicorn", *arguments[split + 1 :]]
    uvicorn.main.main()


if __name__ == "__main__":
    main(sys.argv[1:])
