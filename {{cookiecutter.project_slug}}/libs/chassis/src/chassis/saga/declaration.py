"""A saga: a business process as data, from which every style runs it.

The kinds of steps, and their order, are Garcia-Molina's and Salem's with Richardson's names: first
those that can be undone, then at most one pivot, then those that are asked until they are done.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

from pydantic import ValidationError

from chassis.messages import Message, name_of, topic_of
from chassis.saga.field_types import fields, mismatches, unreadable
from chassis.text import why_invalid

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)


#: What the chassis itself knows of a process that is cancelled, by the name of a field.
FAILURE = ("failed_step", "reason")
#: Bytes of what a participant says when it refuses.
MAX_REASON = 2_000


class Kind(StrEnum):
    #: It can be undone, so it may refuse, and may be given up.
    COMPENSATABLE = "compensatable"
    #: It may refuse and cannot be undone: once it is done, the process completes.
    PIVOT = "pivot"
    #: It may not refuse, and is asked for until it is done.
    RETRIABLE = "retriable"


@dataclass(frozen=True)
class Step:
    """What one participant is asked to do, and what undoes it.

    The command's class names its replies: `done`, and `refused` if it may refuse.
    """

    command: type[Message]
    #: The app id of the participant.
    at: str
    undo: type[Message] | None = None

    @property
    def name(self) -> str:
        return self.command.__name__

    @property
    def done(self) -> type[Message]:
        return _reply(self.command)

    @property
    def refused(self) -> type[Message] | None:
        """The event that says that the participant will not, and has done nothing."""
        return getattr(self.command, "refused", None)

    @property
    def undone(self) -> type[Message] | None:
        return None if self.undo is None else _reply(self.undo)

    @property
    def kind(self) -> Kind:
        if self.undo is not None:
            return Kind.COMPENSATABLE
        return Kind.RETRIABLE if self.refused is None else Kind.PIVOT

    @property
    def replies(self) -> tuple[type[Message], ...]:
        return tuple(each for each in (self.done, self.refused, self.undone) if each is not None)


#: Steps of one stage are asked for at the same time.
Stage = tuple[Step, ...]


class Saga:
    """What starts a process, its steps in order, and what it publishes at its end.

    A tuple of steps is one stage: they run side by side. The fields of a command are those of the
    same name in a reply to a step of an earlier stage, the latest one that has them, or in what
    started the process; so a command is the same however often it is given.
    """

    def __init__(
        self,
        *,
        started_by: type[Message],
        steps: Sequence[Step | Stage],
        completed: type[Message],
        cancelled: type[Message],
        older: Sequence[type[Message]] = (),
    ) -> None:
        """`older`: versions that may still be in flight, of replies and of what starts a process.

        Raises `ValueError`, in one line, for what cannot always end.
        """
        self.started_by = started_by
        self.completed = completed
        self.cancelled = cancelled
        self.older = tuple(older)
        self.stages: tuple[Stage, ...] = tuple(map(self._stage, steps))
        for why in problems(self):
            raise ValueError(f"the saga {self.name} cannot run: {why}")

    @property
    def name(self) -> str:
        return topic_of(self.started_by)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for stage in self.stages for step in stage)

    @cached_property
    def commands(self) -> Mapping[type[Message], Step]:
        """Each command of the saga, the undos included, and its step."""
        asked = {step.command: step for step in self.steps}
        return asked | {step.undo: step for step in self.steps if step.undo is not None}

    @cached_property
    def named(self) -> Mapping[str, type[Message]]:
        """The commands by their names."""
        return {command.__name__: command for command in self.commands}

    @property
    def replies_topic(self) -> str:
        """Where replies go to commands that are sent over pub/sub."""
        return f"{self.name}-replies"

    @cached_property
    def replies(self) -> tuple[type[Message], ...]:
        """Of each version that may be in flight."""
        replies = tuple(reply for step in self.steps for reply in step.replies)
        return (*replies, *(each for each in self.older if each not in self.starts))

    @cached_property
    def starts(self) -> tuple[type[Message], ...]:
        """Each version that may be in flight of what starts a process."""
        name = name_of(self.started_by)
        return (self.started_by, *(each for each in self.older if name_of(each) == name))

    @property
    def ends(self) -> tuple[type[Message], type[Message]]:
        return self.completed, self.cancelled

    @cached_property
    def needs(self) -> frozenset[str]:
        """The fields that a command, or the event of completion, may take from a reply."""
        made = (*self.commands, self.completed)
        return frozenset(name for message in made for name in fields(message))

    def make(
        self,
        message: type[M],
        started: Mapping[str, Any],
        said: Mapping[str, Mapping[str, Any]],
        **also: str,
    ) -> M:
        """A command of the saga, or its end. `said`: the data of replies by the reply's name.

        The types of a declaration fit each other, but what an older release has recorded may not.
        Then it is sent as it is: only its receiver may say that it does nothing, and does so by a
        refusal, which is compensated, or shown and tried again under another id.
        """
        step = self.commands.get(message)
        earlier = self.stages if step is None else self.stages[: self.stage_of(step)]
        known = {**started}
        for each in (each for stage in earlier for each in stage):
            known |= said.get(name_of(each.done), {})
        known |= also
        data = {name: known[name] for name in fields(message) if name in known}
        try:
            return message.model_validate(data)
        except ValidationError as error:
            log.warning("%s of %s: %s", message.__name__, self.name, why_invalid(error))
            made: M = message.model_construct(**data)  # type: ignore[attr-defined]
            return made

    def _stage(self, steps: Step | Stage) -> Stage:
        if isinstance(steps, Step):
            return (steps,)
        if isinstance(steps, tuple) and all(isinstance(step, Step) for step in steps):
            return steps
        kind = type(steps).__name__
        raise ValueError(
            f"the saga {self.name} cannot run: a stage is a tuple of steps, or one step, "
            f"and not a {kind}"
        )

    def stage_of(self, step: Step) -> int:
        return next(number for number, stage in enumerate(self.stages) if step in stage)


def problems(saga: Saga) -> Iterator[str]:
    """Why it cannot run, or not always end."""
    if not all(saga.stages):
        yield "a stage has no steps"
    elif not saga.stages:
        yield "it has no steps"
    yield from _replies_missing(saga)
    yield from _twice(saga)
    yield from _order(saga)
    yield from _fields_missing(saga)
    yield from _fields_of_other_types(saga)


def _reply(command: type[Message]) -> type[Message]:
    reply: type[Message] = command.done  # type: ignore[attr-defined]
    return reply


def _replies_missing(saga: Saga) -> Iterator[str]:
    for step in saga.steps:
        for command in filter(None, (step.command, step.undo)):
            if not isinstance(getattr(command, "done", None), type):
                yield (
                    f"{command.__name__} does not say which event answers it: "
                    "`done: ClassVar = ...` in its class"
                )
        if step.undo is not None and getattr(step.undo, "refused", None) is not None:
            yield f"{step.undo.__name__} undoes {step.name}, and may refuse: an undo may not"


def _twice(saga: Saga) -> Iterator[str]:
    # By name, as in the record of a process: two classes of one name are one there.
    commands: set[str] = set()
    topics: dict[str, str] = {}
    replies = {name_of(each) for each in (saga.started_by, *saga.ends)}
    if len(replies) < 3:
        yield "its start and its two ends are not three messages"
    for step in saga.steps:
        for command in filter(None, (step.command, step.undo)):
            if command.__name__ in commands:
                yield f"two steps give one command, {command.__name__}"
            elif (other := topics.setdefault(topic_of(command), command.__name__)) != (
                command.__name__
            ):
                yield f"{other} and {command.__name__} have one topic, {topic_of(command)}"
            commands.add(command.__name__)
        for reply in step.replies:
            if name_of(reply) in replies:
                yield f"{reply.__name__} says two things: give {step.name} a reply of its own"
            replies.add(name_of(reply))
    for older in saga.older:
        if name_of(older) not in replies - {name_of(each) for each in saga.ends}:
            yield f"{older.__name__} is no version of its start or of a reply"


def _order(saga: Saga) -> Iterator[str]:
    final: Step | None = None
    for stage in saga.stages:
        for step in stage:
            if final is not None and step.kind is Kind.COMPENSATABLE:
                yield (
                    f"the undo of {step.name} undoes nothing: after {final.name}, which cannot be "
                    "undone, the process is never cancelled"
                )
            elif final is not None and step.kind is Kind.PIVOT:
                yield f"{step.name} may refuse after {final.name}, which cannot be undone"
            if step.kind is Kind.PIVOT and len(stage) > 1:
                yield f"{step.name} may refuse beside others, and cannot be undone with them"
        final = next((step for step in stage if step.kind is not Kind.COMPENSATABLE), final)
        if final is not None and len({step.kind for step in stage}) > 1:
            yield f"{final.name} cannot be undone, and stands beside steps that may be"


def _fields_missing(saga: Saga) -> Iterator[str]:
    started = set(fields(saga.started_by)).intersection(*map(fields, saga.starts))
    known = set(started)
    for stage in saga.stages:
        # An undo may have to be given without a reply to what it undoes.
        for command in (each for step in stage for each in (step.command, step.undo) if each):
            yield from _missing(command, known)
        for step in stage:
            versions = [each for each in saga.older if name_of(each) == name_of(step.done)]
            known |= set(fields(step.done)).intersection(*map(fields, versions))
    yield from _missing(saga.completed, known)
    yield from _missing(saga.cancelled, started | set(FAILURE))


def _fields_of_other_types(saga: Saga) -> Iterator[str]:
    sources: defaultdict[str, list[type[Message]]] = defaultdict(list)
    for start in saga.starts:
        _says(start, sources)
    of_start = {name: list(said) for name, said in sources.items() if name not in FAILURE}
    for stage in saga.stages:
        for command in (each for step in stage for each in (step.command, step.undo) if each):
            yield from mismatches(command, sources)
        for step in stage:
            for reply in (step.done, *saga.older):
                if name_of(reply) == name_of(step.done):
                    _says(reply, sources)
    yield from mismatches(saga.completed, sources)
    yield from mismatches(saga.cancelled, of_start)
    yield from unreadable(saga.cancelled, "failed_step", [step.name for step in saga.steps])
    yield from unreadable(saga.cancelled, "reason", ["", "a reason", "x" * MAX_REASON])


def _says(message: type[Message], sources: defaultdict[str, list[type[Message]]]) -> None:
    for name in fields(message):
        sources[name].append(message)


def _missing(message: type[Message], known: Set[str]) -> Iterator[str]:
    for name, field in fields(message).items():
        if field.is_required() and name not in known:
            yield (
                f"nothing says the {name} of {message.__name__}: "
                "give it to what starts the process, or to a reply to an earlier step"
            )
