from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testkit.simulation.shrink import shrink


@dataclass
class Run:
    choices: list[int]


def breaking(is_broken: Callable[[Sequence[int]], bool]) -> Callable[[Sequence[int]], Run | None]:
    return lambda choices: Run(list(choices)) if is_broken(choices) else None


def test_of_many_choices_the_one_that_matters_is_left() -> None:
    shrunk = shrink(Run([3, 1, 4, 1, 5, 9, 2, 6]), breaking(lambda choices: 9 in choices))
    assert shrunk.choices == [9]


def test_two_that_matter_together_are_left_in_order() -> None:
    def is_broken(choices: Sequence[int]) -> bool:
        return 4 in choices and 2 in list(choices)[list(choices).index(4) :]

    shrunk = shrink(Run([3, 1, 4, 1, 5, 9, 2, 6]), breaking(is_broken))
    assert shrunk.choices == [4, 2]


def test_a_choice_is_made_as_small_as_it_can_be() -> None:
    shrunk = shrink(Run([7, 0, 8]), breaking(lambda choices: max(choices, default=0) >= 3))
    assert shrunk.choices == [3]


def test_what_cannot_be_made_simpler_stays() -> None:
    shrunk = shrink(Run([1, 2]), breaking(lambda choices: list(choices) == [1, 2]))
    assert shrunk.choices == [1, 2]
