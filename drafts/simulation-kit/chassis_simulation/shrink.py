"""The shortest choices that still break: by deleting some and by making others dull."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

#: Runs; a shrunk schedule is worth some seconds, not minutes.
BUDGET = 1_500


class HasChoices(Protocol):
    @property
    def choices(self) -> list[int]: ...


R = TypeVar("R", bound=HasChoices)


def shrink(broken: R, breaks: Callable[[Sequence[int]], R | None]) -> R:
    """`breaks` runs the choices, and returns the run if it is broken in the same way."""
    best, left = broken, BUDGET
    improved = True
    while improved and left:
        improved = False
        for simpler in _simpler(_trimmed(best.choices)):
            left -= 1
            run = breaks(simpler)
            if run is not None and _size(run.choices) < _size(best.choices):
                best, improved = run, True
                break
            if not left:
                break
    return best


def _simpler(choices: list[int]) -> Iterator[list[int]]:
    """Large cuts first: most of a run has nothing to do with why it breaks."""
    size = len(choices)
    while size:
        for start in range(0, len(choices), size):
            chunk = choices[start : start + size]
            if any(chunk):
                yield choices[:start] + [0] * len(chunk) + choices[start + size :]
            yield choices[:start] + choices[start + size :]
        size //= 2
    for position, choice in enumerate(choices):
        for smaller in range(1, choice):
            yield [*choices[:position], smaller, *choices[position + 1 :]]


def _size(choices: list[int]) -> tuple[int, int, int]:
    """Fewer events out of the ordinary, then a shorter run, then smaller choices."""
    return sum(map(bool, choices)), len(choices), sum(choices)


def _trimmed(choices: Sequence[int]) -> list[int]:
    """Dull choices at the end go without saying."""
    end = max((position + 1 for position, choice in enumerate(choices) if choice), default=0)
    return list(choices[:end])
