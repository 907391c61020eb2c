"""Why deliveries failed, remembered until they succeed or end as dead letters.

The sidecar keeps count of its retries to itself, and says nothing when it dead-letters.
"""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Failed:
    """The last failure of a message on a topic, and how many there were."""

    topic: str
    cause: str
    count: int


class Attempts:
    """In memory and bounded: a restart forgets, and then the letter says that it does not know."""

    def __init__(self) -> None:
        self._failed: OrderedDict[UUID, Failed] = OrderedDict()

    def failed(self, letter: UUID, topic: str, cause: str) -> Failed:
        """One more failure."""
        before = self._failed.get(letter)
        return self.restore(letter, topic, cause, (before.count if before else 0) + 1)

    def restore(self, letter: UUID, topic: str, cause: str, count: int) -> Failed:
        now = self._failed[letter] = Failed(topic, cause, count)
        self._failed.move_to_end(letter)
        if len(self._failed) > MAX_REMEMBERED:
            self._failed.popitem(last=False)
        return now

    def take(self, letter: UUID) -> Failed | None:
        """What is known, and forget it."""
        return self._failed.pop(letter, None)

    def __bool__(self) -> bool:
        return bool(self._failed)
