"""The barrier of a step that can be undone: once undone, it is not done any more.

Commands overtake each other: an undo may come before the do that it undoes. Both write the mark of
their step, so of two replicas that handle them at the same time one loses its ETag race and runs
again on what the other one wrote.
"""

from enum import StrEnum

from chassis.cloudevents import derived_id
from chassis.errors import Undone
from chassis.transaction import Transaction


class Mark(StrEnum):
    DONE = "done"
    UNDONE = "undone"


def barrier_key(step: str, subject: str) -> str:
    """`step` is the topic of the command that does it."""
    return f"barrier:{derived_id(step, subject)}"


async def before_do(step: str, subject: str, tx: Transaction) -> None:
    """Raises `Undone`, a refusal, if the step was undone before."""
    key = barrier_key(step, subject)
    if await tx.get(key, Mark) is Mark.UNDONE:
        raise Undone(step, subject)
    tx.put(key, Mark.DONE)


async def before_undo(step: str, subject: str, tx: Transaction) -> None:
    key = barrier_key(step, subject)
    await tx.get(key, Mark)
    tx.put(key, Mark.UNDONE)
