"""The shortest choices that still break: by making most of them dull, and by deleting some."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

#: A shorter story is worth some seconds, not minutes.
BUDGET_SECONDS = 10.0


class HasChoices(Protocol):
    @property
    def choices(self) -> list[int]: ...


R = TypeVar("R", bound=HasChoices)
#: Runs the choices; returns the run if it is broken in the same way.
Breaks = Callable[[Sequence[int]], R | None]
#: What to try with some of the choices: those at these positions.
Change = Callable[[list[int], Sequence[int]], list[int]]


def shrink(broken: R, breaks: Breaks[R]) -> R:
    ends = time.monotonic() + BUDGET_SECONDS
    best, before = broken, None
    while best is not before and time.monotonic() < ends:
        before = best
        for change, positions in ((_made_dull, _out_of_the_ordinary), (_deleted, _all)):
            best = _without_chunks(best, breaks, change, positions, ends)
        best = _lowered(best, breaks, ends)
    return best


def _without_chunks(
    best: R,
    breaks: Breaks[R],
    change: Change,
    positions: Callable[[list[int]], Sequence[int]],
    ends: float,
) -> R:
    """Large chunks first: most of a run has nothing to do with why it breaks."""
    size = len(positions(trimmed(best.choices)))
    while size:
        start = 0
        while start < len(positions(trimmed(best.choices))) and time.monotonic() < ends:
            choices = trimmed(best.choices)
            chunk = positions(choices)[start : start + size]
            simpler = _better(best, change(choices, chunk), breaks)
            # Without the chunk, what follows it has moved up to where we are.
            start += 0 if simpler is not best else size
            best = simpler
        size //= 2
    return best


def _lowered(best: R, breaks: Breaks[R], ends: float) -> R:
    for position in _out_of_the_ordinary(trimmed(best.choices)):
        for smaller in range(1, best.choices[position] if position < len(best.choices) else 0):
            if time.monotonic() < ends:
                choices = trimmed(best.choices)
                choices[position : position + 1] = [smaller]
                best = _better(best, choices, breaks)
    return best


def _better(best: R, choices: list[int], breaks: Breaks[R]) -> R:
    run = breaks(choices)
    return run if run is not None and _size(run.choices) < _size(best.choices) else best


def _made_dull(choices: list[int], positions: Sequence[int]) -> list[int]:
    dull = set(positions)
    return [0 if position in dull else choice for position, choice in enumerate(choices)]


def _deleted(choices: list[int], positions: Sequence[int]) -> list[int]:
    return choices[: positions[0]] + choices[positions[-1] + 1 :]


def _out_of_the_ordinary(choices: list[int]) -> list[int]:
    return [position for position, choice in enumerate(choices) if choice]


def _all(choices: list[int]) -> Sequence[int]:
    return range(len(choices))


def trimmed(choices: Sequence[int]) -> list[int]:
    """Dull choices at the end go without saying."""
    end = max((position + 1 for position, choice in enumerate(choices) if choice), default=0)
    return list(choices[:end])


def _size(choices: list[int]) -> tuple[int, int, int]:
    """Fewer events out of the ordinary, then a shorter run, then smaller choices."""
    return sum(map(bool, choices)), len(choices), sum(choices)
