"""How far a process is, as its initiator knows it. Pure: no store, no clock, no I/O.

Replies arrive in any order, even before what starts the process: recording them commutes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from chassis.messages import Message, name_of
from chassis.saga.declaration import MAX_REASON, Saga, Step
from chassis.saga.styles import Engine, Style
from chassis.text import cut

#: What is tried for so long in vain is a case for a human.
NEEDS_HUMAN_AFTER = timedelta(minutes=15)
#: What has begun is launched once more if nothing of it is known after so long.
LAUNCH_AGAIN_AFTER = timedelta(seconds=10)
#: A workflow: it may wait so long for its turn on a busy engine, which more calls make busier.
START_AGAIN_AFTER = timedelta(minutes=1)


class State(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A reply: the event's name, when it happened, and for a refusal why."""

    event: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """A command that its participant has not carried out yet, as far as anybody knows."""

    command: str
    participant: str
    attempts: int
    since: datetime
    cause: str
    #: The participant says that it will not, although it must.
    refused: bool = False

    def needs_human(self, now: datetime) -> bool:
        return self.refused or now - self.since >= NEEDS_HUMAN_AFTER


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that the process manager has given, and that is not settled.

    In choreography the message that starts the process, until its first reply.
    """

    command: str
    since: datetime
    #: When it is given again.
    due: datetime
    attempts: int = 1
    #: After a refusal it is given under another id: under the old one it stays refused.
    refusals: int = 0
    #: Whether the last attempt was refused, so that nobody waits for its reply any more.
    is_refused: bool = False
    cause: str = ""

    @property
    def failures(self) -> int:
        return self.attempts if self.is_refused else self.attempts - 1


@dataclass(frozen=True, slots=True)
class Undo:
    """What undoes a command that was given, by the declaration of then: their names, and whose."""

    command: str
    undo: str
    at: str


@dataclass(frozen=True, slots=True)
class Progress:
    #: The subject of all its messages.
    id: str
    style: Style | None = None
    #: None in choreography, and where an older release has begun it: see `is_run_by`.
    engine: Engine | None = None
    #: The type and the data of the message that started it.
    started_type: str | None = None
    started: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    traceparent: str | None = None
    steps: tuple[Recorded, ...] = ()
    #: By the reply's name, what later messages take from it.
    said: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    state: State = State.RUNNING
    ended_at: datetime | None = None
    #: The name of the step that could not be done, and why.
    failed_step: str | None = None
    reason: str | None = None
    retrying: tuple[Retry, ...] = ()
    asked: tuple[Asked, ...] = ()
    #: Of the commands of the process manager that may be done, less what is undone.
    undos: tuple[Undo, ...] = ()
    #: The names of commands whose participant said, in a `CommandRefused`, that it never will.
    refused: tuple[str, ...] = ()

    @property
    def has_ended(self) -> bool:
        return self.ended_at is not None

    @property
    def known(self) -> frozenset[str]:
        return frozenset(step.event for step in self.steps)

    @property
    def due(self) -> datetime | None:
        """When the sweep has something to do: give a command, or launch it, once more."""
        if self.has_ended:
            return None
        if self.asked:
            return min(asked.due for asked in self.asked)
        if self.started_type is None or self.started_at is None or self.steps or self.retrying:
            return None
        is_workflow = self.engine is Engine.WORKFLOW
        return self.started_at + (START_AGAIN_AFTER if is_workflow else LAUNCH_AGAIN_AFTER)

    def is_run_by(self, style: Style, engine: Engine | None) -> bool:
        own = self.engine
        if own is None and self.style in (Style.ORCHESTRATION, Style.HYBRID):
            # An older release did not record it, and only the process manager asks.
            is_managed = self.style is Style.HYBRID and self.asked
            own = Engine.MANAGER if is_managed else Engine.WORKFLOW
        return (self.style, own) == (style, engine)

    def start(
        self,
        started: Mapping[str, Any],
        started_type: str | None,
        at: datetime,
        traceparent: str | None,
    ) -> "Progress":
        """The first start stands."""
        if self.started_at is not None:
            return self
        return replace(
            self,
            started=started,
            started_type=started_type,
            started_at=at,
            traceparent=traceparent,
        )

    def record(self, saga: Saga, reply: Message, at: datetime) -> "Progress":
        """Each kind of reply is one step, the earliest, so that a process has an end in bytes."""
        name = name_of(type(reply))
        reason = getattr(reply, "reason", None)
        new = Recorded(name, at, None if reason is None else cut(str(reason), MAX_REASON))
        first = {step.event: step for step in self.steps}
        first[name] = min(new, first.get(name, new), key=_in_order)
        data = reply.model_dump(mode="json")
        needed = {key: value for key, value in data.items() if key in saga.needs}
        return replace(
            self,
            steps=tuple(sorted(first.values(), key=_in_order)),
            # The first one stays: a command that was given from it must not change.
            said={name: needed, **self.said},
        ).retry(saga, self.retrying)

    def retry(self, saga: Saga, retrying: Iterable[Retry]) -> "Progress":
        """What is being tried now, less what was answered meanwhile."""
        left = tuple(each for each in retrying if not self.is_settled(saga, each.command))
        if self.has_ended or left == self.retrying:
            return self
        return replace(self, retrying=left)

    def end(
        self,
        state: State,
        at: datetime,
        failed_step: str | None = None,
        reason: str | None = None,
    ) -> "Progress":
        """The first end stands."""
        if self.has_ended:
            return self
        return replace(
            self,
            state=state,
            ended_at=at,
            failed_step=failed_step,
            reason=reason,
            retrying=(),
            asked=(),
            undos=(),
        )

    def is_settled(self, saga: Saga, name: str) -> bool:
        """Whether the command of this name was answered by an event."""
        command = saga.named.get(name)
        return command is not None and bool(self.known & answers(saga.commands[command], command))

    def is_done(self, step: Step) -> bool:
        return name_of(step.done) in self.known

    def is_undone(self, step: Step) -> bool:
        return step.undone is not None and name_of(step.undone) in self.known

    def is_refused(self, step: Step) -> bool:
        """Whether its participant has said that it was not done, and will not be."""
        by_event = step.refused is not None and name_of(step.refused) in self.known
        return by_event or step.name in self.refused

    def why(self, step: Step) -> str:
        """What its participant said when it refused."""
        name = None if step.refused is None else name_of(step.refused)
        return next((each.reason or "" for each in self.steps if each.event == name), "")


def answers(step: Step, command: type[Message]) -> frozenset[str]:
    """The names of the events that settle the command."""
    replies = (step.undone,) if command is step.undo else (step.done, step.refused)
    return frozenset(name_of(reply) for reply in replies if reply is not None)


def failure(saga: Saga, progress: Progress) -> Step | None:
    """The first step that its participant has refused."""
    return next((step for step in saga.steps if progress.is_refused(step)), None)


def retries(saga: Saga, progress: Progress, now: datetime) -> tuple[Retry, ...]:
    """What is tried again, and what is due to be: the sweep notes it a little later."""
    late = (each for each in progress.asked if each.due <= now and not each.cause)
    due = (
        Retry(
            each.command,
            saga.commands[saga.named[each.command]].at,
            each.attempts,
            each.since,
            f"no reply in {(now - each.since).total_seconds():.0f} s",
        )
        for each in late
        if each.command in saga.named
    )
    return (*progress.retrying, *due)


def is_completed(saga: Saga, progress: Progress) -> bool:
    return all(map(progress.is_done, saga.steps))


def is_cancelled(saga: Saga, progress: Progress) -> bool:
    """A step was refused, and all that was done before it or beside it is undone."""
    failed = failure(saga, progress)
    if failed is None:
        return False
    until = saga.stages[: saga.stage_of(failed) + 1]
    return all(
        progress.is_refused(step) or progress.is_undone(step) for stage in until for step in stage
    )


def undone(saga: Saga, progress: Progress) -> Sequence[str]:
    """The events that say what was undone, in the order in which it was."""
    names = {name_of(step.undone) for step in saga.steps if step.undone is not None}
    return [step.event for step in progress.steps if step.event in names]


def _in_order(step: Recorded) -> tuple[datetime, str, str]:
    return step.at, step.event, step.reason or ""
