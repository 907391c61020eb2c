"""What is known of the processes of a saga once a run has settled, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a participant has committed: one reply, in answer to one message."""

    participant: str
    #: The name of the reply.
    reply: str
    #: The message that led to it; what comes again is the same one.
    cause: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as it was sent: a command, a reply or an event. Each content once."""

    source: str
    id: str
    topic: str
    subject: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Process:
    id: str
    #: Whoever began it got that as the answer; without that it may run, but need not.
    accepted: bool = True
    #: The data of the message that started it.
    started: Mapping[str, Any] = field(default_factory=dict)
    #: As the initiator shows it; None: it does not know it.
    state: str | None = None
    #: From its start to its end; None while it has not ended.
    seconds: float | None = None
    failed_step: str | None = None
    #: The names of the events that were published at its end, one for each id. None: nobody looked.
    ends: tuple[str, ...] | None = ()
    #: Of all participants, in the order of their commits.
    outcomes: tuple[Outcome, ...] = ()
    #: How many of them were committed when the initiator recorded the end. None: nobody looked.
    known_at_end: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way to one of its subscribers."""

    service: str
    topic: str
    id: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    #: A process has this many seconds, from its start to its end.
    deadline: float
    #: Whether each step was waited for until it was answered.
    in_order: bool
    processes: Mapping[str, Process]
    sent: tuple[Sent, ...] = ()
    published: frozenset[Message] = field(default_factory=frozenset)
    processed: frozenset[Message] = field(default_factory=frozenset)
    dead_letters: frozenset[Message] = field(default_factory=frozenset)
    #: Seconds since the oldest process began that the initiator's list of unfinished ones holds.
    oldest_unfinished: float = 0.0
