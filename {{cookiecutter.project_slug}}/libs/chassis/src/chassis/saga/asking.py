"""How a workflow gives one command after the other, and what it makes of the replies.

Only a participant's own reply says that nothing was done. Whatever else happens, the step may have
been done, so it counts as done.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel

from chassis.cloudevents import CloudEvent, derived_id, envelope
from chassis.messages import Message, name_of, topic_of
from chassis.refusal import CommandRefused
from chassis.saga.declaration import MAX_REASON, Kind, Saga, Stage, Step
from chassis.saga.manager import LONGEST_WAIT, MAX_CAUSE
from chassis.saga.progress import Retry, answers
from chassis.saga.styles import Style
from chassis.saga.together import together
from chassis.text import cut

REFUSED = topic_of(CommandRefused)


class Start(BaseModel):
    """What the workflow starts from. All that it depends on is here: a replay sees the same."""

    style: Style
    app_id: str
    #: The subject, and the data, of the message that starts the process.
    id: str
    started: dict[str, Any]
    traceparent: str | None
    timeout: timedelta
    #: The topic of the replies.
    replyto: str


class Question(BaseModel):
    """A command on its way to a participant."""

    saga: str
    #: The name of the command.
    name: str
    participant: str
    topic: str
    command: CloudEvent
    attempt: int = 1
    #: What is being tried for the process; None: its record has it already.
    retrying: tuple[Retry, ...] | None = None

    @property
    def cause(self) -> CloudEvent:
        return self.command


class NoAnswer(Exception):
    """A participant said nothing that this process understands, and may have done the step."""


#: One attempt: the reply, or `NoAnswer` after so long a wait.
Ask = Callable[[Question, timedelta], Generator[Any, Any, CloudEvent]]


@dataclass
class Asked:
    """A command, and how often it was given in vain."""

    step: Step
    command: type[Message]
    since: datetime
    failures: int = 0
    refusals: int = 0
    cause: str = ""

    @property
    def is_undo(self) -> bool:
        return self.command is self.step.undo

    @property
    def must_be_done(self) -> bool:
        return self.is_undo or self.step.kind is Kind.RETRIABLE

    def failed(self, cause: str) -> None:
        self.failures += 1
        self.cause = cut(cause, MAX_CAUSE)

    @property
    def retry(self) -> Retry:
        return Retry(
            self.command.__name__,
            self.step.at,
            self.failures,
            self.since,
            self.cause,
            self.refusals > 0,
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the process cannot go on, and undoes what was done."""

    step: Step
    reason: str
    may_be_done: bool


class Steps:
    """The steps of one workflow: done stage by stage, and undone in reverse order."""

    def __init__(
        self, ctx: DaprWorkflowContext, saga: Saga, start: Start, ask: Ask, first_wait: timedelta
    ) -> None:
        #: By the reply's name, what the participants said.
        self.said: dict[str, Mapping[str, Any]] = {}
        self._ctx = ctx
        self._saga = saga
        self._start = start
        self._ask = ask
        self._first_wait = first_wait
        self._retrying: dict[str, Retry] = {}
        #: Whether the record knows what is being tried.
        self._is_recorded = True
        self._names = {topic_of(reply): name_of(reply) for reply in saga.replies}

    def do(self) -> Generator[Any, Any, Failure | None]:
        """Why the process failed, after everything is undone; None: every step is done."""
        for number, stage in enumerate(self._saga.stages):
            failures = yield from together(*(self._do(step) for step in stage))
            failed = next((failure for failure in failures if failure is not None), None)
            if failed is not None:
                may_be_done = tuple(
                    step
                    for step, failure in zip(stage, failures, strict=True)
                    if failure is None or failure.may_be_done
                )
                yield from self._undo([*self._saga.stages[:number], may_be_done])
                return failed
        return None

    def _do(self, step: Step) -> Generator[Any, Any, Failure | None]:
        asked = Asked(step, step.command, self._now)
        # What cannot be undone must be answered: only then is it known how the process ends.
        timeout = self._start.timeout if step.kind is Kind.COMPENSATABLE else None
        reply = yield from self._ask_for(asked, timeout)
        self._settle(asked)
        if reply is None:
            return Failure(step, asked.cause, may_be_done=True)
        if self._name(reply) == name_of(step.done):
            self.said[name_of(step.done)] = reply.data
            return None
        return Failure(step, _reason(reply), may_be_done=False)

    def _undo(self, stages: Sequence[Stage]) -> Generator[Any, Any, None]:
        """Returns once everything is undone, however long that takes."""
        pending: list[Asked] = []
        # Order matters: what was done last is undone first, unless nobody answers for it in time.
        for stage in reversed(stages):
            undos = [Asked(step, step.undo, self._now) for step in stage if step.undo is not None]
            if undos:
                replies = yield from together(
                    *(self._ask_for(undo, self._start.timeout) for undo in undos)
                )
                pending += [
                    undo for undo, reply in zip(undos, replies, strict=True) if reply is None
                ]
        for wait in self._waits(self._start.timeout / 4, None):
            for asked in list(pending):
                if (yield from self._attempt(asked, wait / len(pending))) is not None:
                    pending.remove(asked)
            if not pending:
                return

    def _ask_for(
        self, asked: Asked, timeout: timedelta | None
    ) -> Generator[Any, Any, CloudEvent | None]:
        """The reply that settles the command, or None after the timeout."""
        for wait in self._waits(self._first_wait, timeout):
            reply = yield from self._attempt(asked, wait)
            if reply is not None:
                return reply
        return None

    def _attempt(self, asked: Asked, wait: timedelta) -> Generator[Any, Any, CloudEvent | None]:
        """The reply, or None if there was none that settles the command."""
        try:
            reply = yield from self._ask(self._question(asked), wait)
        except NoAnswer as error:
            asked.failed(str(error))
        else:
            if self._name(reply) in self._settling(asked):
                self._settle(asked)
                return reply
            asked.failed(f"{asked.step.at} replied {reply.type}: {_reason(reply)}")
            asked.refusals += self._name(reply) == REFUSED
            yield self._ctx.create_timer(wait)
        self._retrying[asked.command.__name__] = asked.retry
        self._is_recorded = False
        return None

    def _settling(self, asked: Asked) -> Set[str]:
        """The names of the replies that settle it. A refusal settles what may be refused."""
        names = answers(asked.step, asked.command)
        return names if asked.must_be_done else names | {REFUSED}

    def _settle(self, asked: Asked) -> None:
        """It is not tried again."""
        if self._retrying.pop(asked.command.__name__, None):
            self._is_recorded = False

    def _question(self, asked: Asked) -> Question:
        topic = topic_of(asked.command)
        # Idempotency: the same command of the same workflow has the same id, however often given.
        # Only what was refused, and so was not done, may be asked for under another one.
        again = [str(asked.refusals)] if asked.refusals else []
        retrying = None
        if asked.failures or not self._is_recorded:
            retrying, self._is_recorded = tuple(self._retrying.values()), True
        return Question(
            saga=self._saga.name,
            name=asked.command.__name__,
            participant=asked.step.at,
            topic=topic,
            command=message(
                self._start,
                self._saga.make(asked.command, self._start.started, self.said),
                id=derived_id(self._ctx.instance_id, topic, *again),
                time=asked.since,
                exclude_unset=True,
            ),
            attempt=asked.failures + 1,
            retrying=retrying,
        )

    def _waits(self, wait: timedelta, timeout: timedelta | None) -> Iterator[timedelta]:
        """Twice as long each time, until the timeout: without one, for ever."""
        began, longest = self._now, LONGEST_WAIT
        if timeout is not None:
            longest = min(longest, timeout / 4)
        while timeout is None or self._now < began + timeout:
            wait = min(wait, longest)
            yield wait if timeout is None else min(wait, began + timeout - self._now)
            wait *= 2

    def _name(self, reply: CloudEvent) -> str:
        """The reply's name, whatever its version.

        A history holds replies of versions that this code cannot read any more. What the workflow
        made of them once it must make of them again, so it looks at their names alone.
        """
        topic = reply.type.rpartition(".v")[0]
        return self._names.get(topic, topic)

    @property
    def _now(self) -> datetime:
        return now(self._ctx)


def now(ctx: DaprWorkflowContext) -> datetime:
    """The engine's clock is UTC, without saying so."""
    return ctx.current_utc_datetime.replace(tzinfo=UTC)


def message(
    start: Start, content: Message, *, id: str, time: datetime, exclude_unset: bool = False
) -> CloudEvent:
    return envelope(
        content,
        id=id,
        source=start.app_id,
        traceparent=start.traceparent,
        replyto=start.replyto,
        time=time,
        exclude_unset=exclude_unset,
    )


def _reason(reply: CloudEvent) -> str:
    return cut(str(reply.data.get("reason", "")), MAX_REASON)
