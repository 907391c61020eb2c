"""Every decision of a run, one number each; 0 is always the dull one.

What is recorded can be given back: the same choices make the same run, and fewer of them a simpler
one. That is all that replaying and shrinking need.
"""

from collections.abc import Sequence
from random import Random

#: How many faults are drawn for a run. A short run meets about half of them: few at a time show
#: most clearly what each of them does.
FAULTS = (1, 2, 3, 3, 4, 4, 6, 8)
#: How often anything but the oldest waiting thing happens next.
DISORDER = (0.0, 0.1, 0.3, 1.0)
#: There are many places for what is rare; they must not use up the faults.
RARE = 0.005


class Choices:
    """The choices of one run, as they are made."""

    def __init__(self) -> None:
        self.made: list[int] = []
        #: How many times a fault could have been made.
        self.points = 0

    def data(self, options: int) -> int:
        """Which of these the run is about; not a question of luck."""
        return self._made(self._data(options))

    def order(self, options: int) -> int:
        """Which of these comes next; 0 is the oldest."""
        return 0 if options == 1 else self._made(self._order(options))

    def fault(self, options: int) -> int:
        """Which of these goes wrong here; 0 is none."""
        self.points += 1
        return self._made(self._fault(options))

    def rare(self) -> bool:
        """Whether something happens that could happen at any time, and that seldom matters."""
        return bool(self._made(self._rare(2)))

    def _made(self, choice: int) -> int:
        self.made.append(choice)
        return choice

    def _data(self, options: int) -> int:
        return 0

    def _order(self, options: int) -> int:
        return 0

    def _fault(self, options: int) -> int:
        return 0

    def _rare(self, options: int) -> int:
        return 0


class Given(Choices):
    """The choices that were given, and dull ones after them."""

    def __init__(self, given: Sequence[int]) -> None:
        super().__init__()
        self._given = given

    def _next(self, options: int) -> int:
        position = len(self.made)
        # A shrunk list may give a choice to a question that has fewer answers.
        return self._given[position] % options if position < len(self._given) else 0

    _data = _order = _fault = _rare = _next


class Seeded(Choices):
    """Drawn from a seed, with the faults spread over the whole length of a run.

    A fault at each question with some probability would spend nearly all of them on the first
    hop: here the places are drawn first, from as many as a run is expected to have.
    """

    def __init__(self, seed: int, expected: int) -> None:
        super().__init__()
        self._random = Random(seed)
        # Data is drawn apart: what a run is about must not depend on how long it takes.
        self._data_random = Random(f"data {seed}")
        self._disorder = self._random.choice(DISORDER)
        faults = self._random.choice(FAULTS) if expected else 0
        self._places = {1 + self._random.randrange(expected) for _ in range(faults)}

    def _data(self, options: int) -> int:
        return self._data_random.randrange(options)

    def _order(self, options: int) -> int:
        if self._random.random() >= self._disorder:
            return 0
        return self._random.randrange(options)

    def _fault(self, options: int) -> int:
        return self._random.randrange(1, options) if self.points in self._places else 0

    def _rare(self, options: int) -> int:
        return int(self._random.random() < RARE)
