"""A dead letter, as the command shows it, and whoever keeps it."""

from dataclasses import dataclass
from typing import Any, Protocol


class Keeper(Protocol):
    """Each method raises `Failure`."""

    def show(self, letter: "Letter") -> Any: ...
    def replay(self, letter: "Letter") -> None: ...
    def discard(self, letter: "Letter", reason: str, by: str) -> None: ...


@dataclass(frozen=True)
class Letter:
    """A letter as a list shows it, and the service that it is for."""

    service: str
    id: str
    content: dict[str, Any]
    keeper: Keeper
