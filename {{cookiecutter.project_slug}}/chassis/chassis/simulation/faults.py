"""What can go wrong at one effect."""

from enum import StrEnum


class Fault(StrEnum):
    """`NONE` comes first wherever there is a choice."""

    NONE = "none"
    #: It never arrives, and whoever asked for it is told so.
    LOST = "lost"
    #: It happens, and whoever asked for it is told that it did not.
    REPLY_LOST = "reply lost"
    #: The process that asked for it dies before it happens, or right after.
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    #: Another writer was faster.
    RACE_LOST = "race lost"
    #: What a turn of a workflow asked for is sent off, and the turn itself is not stored.
    NOT_STORED = "not stored"
    #: A turn is made twice; the second answer comes late, and counts as that of the next turn.
    LATE_ANSWER = "late answer"
    #: It arrives two to five times.
    TWICE, THRICE, FOUR_TIMES, FIVE_TIMES = "twice", "3 times", "4 times", "5 times"
    #: Nothing happens until the next timer is due.
    LATE = "late"


COPIES = {Fault.TWICE: 2, Fault.THRICE: 3, Fault.FOUR_TIMES: 4, Fault.FIVE_TIMES: 5}

CRASHES = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)

COMMIT = (Fault.NONE, Fault.LOST, Fault.REPLY_LOST, Fault.RACE_LOST, *CRASHES)
PUBLISH = (Fault.NONE, Fault.LOST, Fault.REPLY_LOST, *CRASHES)
ACKNOWLEDGE = (Fault.NONE, Fault.LOST, *CRASHES)
DELIVER = (Fault.NONE, *COPIES)
CALL = (Fault.NONE, Fault.LOST, Fault.TWICE, *CRASHES)
REQUEST = (Fault.NONE, Fault.LOST, Fault.TWICE)
REPLY = (Fault.NONE, Fault.LOST, Fault.CRASH_BEFORE)
ENGINE = (Fault.NONE, Fault.LOST, Fault.REPLY_LOST, *CRASHES)
ACTIVITY = (Fault.NONE, Fault.TWICE)
REPORT = (Fault.NONE, Fault.LOST, *CRASHES)
TURN = (Fault.NONE, Fault.CRASH_BEFORE, Fault.NOT_STORED, Fault.LATE_ANSWER)
