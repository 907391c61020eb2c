"""A failure that a person reads: what failed, why, and what to do."""

from collections.abc import Iterable


class StackError(Exception):
    """Its text is all that is shown."""

    exit_code = 1


class UnknownName(StackError):
    """A name of which there is nothing: wrong usage, as an unknown option is."""

    exit_code = 2

    def __init__(self, what: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no {what}; there are {', '.join(known)}")
