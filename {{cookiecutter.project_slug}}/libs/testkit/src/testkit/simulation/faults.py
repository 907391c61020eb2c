"""What can go wrong at one effect."""

from enum import StrEnum


class HttpError(Exception):
    """An answer with a status code, of a service or of somebody in between."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Fault(StrEnum):
    """`NONE` comes first wherever there is a choice."""

    NONE = "none"
    #: It never arrives, and whoever asked for it learns so.
    LOST = "lost"
    #: It happens, and whoever asked for it learns that it did not.
    REPLY_LOST = "reply lost"
    #: The process that asked for it dies before it happens, or right after.
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    #: The handler fails, and its process dies before it is tried again.
    CRASH_SOON = "crash soon"
    #: Another writer was faster.
    RACE_LOST = "race lost"
    #: What a turn of a workflow asked for is sent off, and the turn itself is not stored.
    NOT_STORED = "not stored"
    #: A turn is made twice; the second answer comes late, and counts as that of the next turn.
    LATE_RESPONSE = "late response"
    #: For a while nothing of this topic gets through; whoever waits for an answer gets none.
    HELD = "held back"
    #: Somebody in between answers with a status code: the request never arrives, or its reply.
    REFUSED = "refused in between"
    #: A handler takes longer than its group waits for it, and than a delivery does.
    SLOW = "slow"
    #: A library of the handler leaks a cancellation that nobody asked for.
    CANCELLED = "cancelled"
    #: The handler fails, this once, for a reason that nobody knows.
    FAILED = "failed"
    #: It arrives two to five times.
    TWICE, THRICE, FOUR_TIMES, FIVE_TIMES = "twice", "3 times", "4 times", "5 times"
    #: Nothing happens until the next timer is due.
    LATE = "late"


#: What a sidecar, a mesh or a proxy answers while a token rotates, or a policy or a route is wrong.
IN_BETWEEN = (401, 403, 404)

COPIES = {Fault.TWICE: 2, Fault.THRICE: 3, Fault.FOUR_TIMES: 4, Fault.FIVE_TIMES: 5}

CRASHES = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)

COMMIT = (Fault.NONE, Fault.LOST, Fault.REPLY_LOST, Fault.RACE_LOST, *CRASHES)
PUBLISH = (Fault.NONE, Fault.LOST, Fault.REPLY_LOST, *CRASHES)
ACKNOWLEDGE = (Fault.NONE, Fault.LOST, *CRASHES)
DELIVER = (Fault.NONE, Fault.HELD, *COPIES)
CALL = (Fault.NONE, Fault.LOST, Fault.TWICE, Fault.HELD, Fault.REFUSED, *CRASHES)
REQUEST = (Fault.NONE, Fault.LOST, Fault.TWICE)
REPLY = (Fault.NONE, Fault.LOST, Fault.REFUSED, Fault.CRASH_BEFORE)
HANDLE = (Fault.NONE, Fault.SLOW, Fault.CANCELLED, Fault.FAILED, Fault.CRASH_SOON)
ENGINE = (Fault.NONE, Fault.LOST, Fault.REPLY_LOST, *CRASHES)
ACTIVITY = (Fault.NONE, Fault.TWICE)
REPORT = (Fault.NONE, Fault.LOST, *CRASHES)
TURN = (Fault.NONE, Fault.CRASH_BEFORE, Fault.NOT_STORED, Fault.LATE_RESPONSE)
