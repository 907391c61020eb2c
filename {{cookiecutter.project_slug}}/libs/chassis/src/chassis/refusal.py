"""How a participant says that it refuses a command, and that nothing was done."""

from typing import ClassVar

from pydantic import BaseModel

from chassis.cloudevents import CloudEvent
from chassis.text import cut

#: Bytes of a reason; what is longer is cut.
MAX_REASON = 500


class CommandRefused(BaseModel):
    """The one reply that means "refused, and nothing was done".

    It is an outcome like any other: recorded in the inbox, so a copy of the command that comes
    later, or to another replica, is refused as well. A status code never means it: whatever is in
    between (sidecar, mesh, proxy) answers with those, too.
    """

    version: ClassVar[int] = 1

    subject: str
    reason: str

    @classmethod
    def of(cls, command: CloudEvent, error: Exception) -> "CommandRefused":
        return cls(subject=command.subject, reason=cut(str(error), MAX_REASON))
