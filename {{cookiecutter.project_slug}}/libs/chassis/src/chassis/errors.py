"""How a message can fail. The kind decides what becomes of it.

Rejected            permanent: it becomes a dead letter at once
├── UsedBefore      its id was used before, for other content
├── Undone          its step was undone before it came
└── Over            its process has ended, or is run by somebody else
Unavailable         transient: it is tried again
├── Refused         the sidecar answered with an error
│   └── TooLarge    more than it takes or gives in one call
├── Busy            there is no room for it here yet
└── Unsent          what it did is stored, and its outcomes are not published yet
StaleWrite          an ETag race was lost: its group runs again
anything else       unknown: it is tried again for a while, in case it was transient
"""


class Rejected(Exception):
    """This message can never succeed: a wrong schema, an unknown version."""


class UsedBefore(Rejected):
    """The id was used before, for other content. What was done then stands."""


class Undone(Rejected):
    """The step of this command was undone before the command came."""

    def __init__(self, topic: str, subject: str) -> None:
        super().__init__(f"{topic} of {subject} was undone before it came")
        self.topic = topic


class Over(Rejected):
    """The process has ended, or is run by somebody else: nothing more is to be done for it here."""


class StaleWrite(Exception):
    """Another writer changed a key since it was read. Nothing of the transaction is stored."""


class Unavailable(Exception):
    """The sidecar, or what is behind it, did not answer in time. The message is tried again."""


class Refused(Unavailable):
    """The sidecar answered with an error. In a group, one message may be the cause of it."""


class TooLarge(Refused):
    """More than the sidecar takes, or gives, in one call. What is so large alone will stay so."""


class Busy(Unavailable):
    """Too much is being handled. That is no attempt at this message, which waits for its turn."""


class Unsent(Unavailable):
    """The message is committed, and its outcomes could not be published. They still must be."""


#: What says nothing about the message itself.
TRANSIENT = (Unavailable, OSError, TimeoutError)
