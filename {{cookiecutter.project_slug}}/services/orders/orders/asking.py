"""How a workflow asks for one step after the other, and what it makes of the answers.

Only a participant's own reply says that nothing was done. Whatever else happens, the step may have
been done, so it counts as done.
"""

from collections.abc import Callable, Generator, Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel

from chassis import CloudEvent, CommandRefused, cut, derived_id, envelope, topic_of
from contracts import (
    CapturePayment,
    Command,
    DispatchShipment,
    OrderPlaced,
    RefundPayment,
    ReleaseStock,
    ReserveStock,
)
from orders.domain import ANSWERS, UNDOING, Retry, Style, failure_of
from orders.settings import settings
from orders.steps import End

PARTICIPANTS: dict[type[Command], str] = {
    ReserveStock: "inventory",
    ReleaseStock: "inventory",
    CapturePayment: "payments",
    RefundPayment: "payments",
    DispatchShipment: "shipping",
}

#: The names of replies that say: refused, and nothing was done.
REFUSED = topic_of(CommandRefused)
REFUSALS = {REFUSED, *map(topic_of, UNDOING)}

#: Between two rounds of attempts. A history grows by about nine events with each attempt.
LONGEST_WAIT = timedelta(hours=1)
#: Bytes of what a participant says.
MAX_REASON = 2_000
#: Bytes of the cause of a failed attempt.
MAX_CAUSE = 500


class Fulfilment(BaseModel):
    """What the workflow starts from. All that it depends on is here: a replay sees the same."""

    style: Style
    placed: OrderPlaced
    traceparent: str | None
    patience: timedelta


class Question(BaseModel):
    """A command on its way to a participant."""

    step: str
    participant: str
    topic: str
    command: CloudEvent
    attempt: int = 1
    #: What is being tried for the order; None: the order has it already.
    retrying: tuple[Retry, ...] | None = None

    @property
    def cause(self) -> CloudEvent:
        return self.command


class StepFailed(Exception):
    """The process cannot go on, and undoes what was done."""

    def __init__(self, failed_step: str, reason: str) -> None:
        super().__init__(f"{failed_step}: {reason}")
        self.failed_step, self.reason = failed_step, reason


class NoAnswer(Exception):
    """A participant said nothing that this process understands, and may have done the step."""


#: One attempt: the reply, or `NoAnswer` after so long a wait.
Ask = Callable[[Question, timedelta], Generator[Any, Any, CloudEvent]]


@dataclass
class Asked:
    """A command, and how often it was asked for in vain."""

    command: Command
    since: datetime
    is_undo: bool = False
    failures: int = 0
    refusals: int = 0
    cause: str = ""

    @property
    def step(self) -> str:
        return type(self.command).__name__

    @property
    def participant(self) -> str:
        return PARTICIPANTS[type(self.command)]

    @property
    def answers(self) -> Set[str]:
        """The names of the replies that settle it. An undo is not settled by a refusal."""
        names = {topic_of(each) for each in ANSWERS[type(self.command)]}
        return names if self.is_undo else names | {REFUSED}

    def failed(self, cause: str) -> None:
        self.failures += 1
        self.cause = cut(cause, MAX_CAUSE)

    @property
    def retry(self) -> Retry:
        return Retry(
            self.step, self.participant, self.failures, self.since, self.cause, self.refusals > 0
        )


class Steps:
    """The steps of one workflow: done in order, and undone in reverse order."""

    def __init__(
        self, ctx: DaprWorkflowContext, start: Fulfilment, ask: Ask, first_wait: timedelta
    ) -> None:
        self._ctx = ctx
        self._start = start
        self._ask = ask
        self._first_wait = first_wait
        self._undo: list[Command] = []
        self._retrying: dict[str, Retry] = {}
        #: Whether the order knows what is being tried.
        self._is_recorded = True

    def do(self, command: Command, undone_by: Command | None = None) -> Generator[Any, Any, None]:
        """Raises `StepFailed` if it was refused, or nobody answered in time.

        What cannot be undone must be answered: only then is it known how the order ends.
        """
        asked = Asked(command, self._now)
        reply = yield from self._ask_for(asked, self._start.patience if undone_by else None)
        self._settle(asked)
        if undone_by is not None and may_be_done(reply):
            self._undo.append(undone_by)
        if reply is None or not may_be_done(reply):
            reason = asked.cause if reply is None else _reason(reply)
            raise StepFailed(failure_of(type(command)), reason)

    def undo(self) -> Generator[Any, Any, None]:
        """Returns once everything is undone, however long that takes."""
        pending: list[Asked] = []
        # Order matters: what was done last is undone first, unless nobody answers for it in time.
        for command in reversed(self._undo):
            asked = Asked(command, self._now, is_undo=True)
            if (yield from self._ask_for(asked, self._start.patience)) is None:
                pending.append(asked)
        for wait in self._waits(self._start.patience / 4, None):
            for asked in list(pending):
                if (yield from self._attempt(asked, wait / len(pending))) is not None:
                    pending.remove(asked)
            if not pending:
                return

    def _ask_for(
        self, asked: Asked, patience: timedelta | None
    ) -> Generator[Any, Any, CloudEvent | None]:
        """The reply that settles the step, or None when the patience is used up."""
        for wait in self._waits(self._first_wait, patience):
            reply = yield from self._attempt(asked, wait)
            if reply is not None:
                return reply
        return None

    def _attempt(self, asked: Asked, wait: timedelta) -> Generator[Any, Any, CloudEvent | None]:
        """The reply, or None if there was none that settles the step."""
        try:
            reply = yield from self._ask(self._question(asked), wait)
        except NoAnswer as error:
            asked.failed(str(error))
        else:
            if _name(reply) in asked.answers:
                self._settle(asked)
                return reply
            asked.failed(f"{asked.participant} replied {reply.type}: {_reason(reply)}")
            asked.refusals += _name(reply) == REFUSED
            yield self._ctx.create_timer(wait)
        self._retrying[asked.step] = asked.retry
        self._is_recorded = False
        return None

    def _settle(self, asked: Asked) -> None:
        """It is not tried again."""
        if self._retrying.pop(asked.step, None):
            self._is_recorded = False

    def _question(self, asked: Asked) -> Question:
        topic = topic_of(type(asked.command))
        # Idempotency: the same step of the same workflow has the same id, however often asked.
        # Only what was refused, and so was not done, may be asked for under another one.
        again = [str(asked.refusals)] if asked.refusals else []
        retrying = None
        if asked.failures or not self._is_recorded:
            retrying, self._is_recorded = tuple(self._retrying.values()), True
        return Question(
            step=asked.step,
            participant=asked.participant,
            topic=topic,
            command=message(
                self._start,
                asked.command,
                id=derived_id(self._ctx.instance_id, topic, *again),
                time=asked.since,
            ),
            attempt=asked.failures + 1,
            retrying=retrying,
        )

    def _waits(self, wait: timedelta, patience: timedelta | None) -> Iterator[timedelta]:
        """Twice as long each time, until the patience is used up: without one, for ever."""
        began, longest = self._now, LONGEST_WAIT
        if patience is not None:
            longest = min(longest, patience / 4)
        while patience is None or self._now < began + patience:
            wait = min(wait, longest)
            yield wait if patience is None else min(wait, began + patience - self._now)
            wait *= 2

    @property
    def _now(self) -> datetime:
        return now(self._ctx)


def now(ctx: DaprWorkflowContext) -> datetime:
    """The engine's clock is UTC, without saying so."""
    return ctx.current_utc_datetime.replace(tzinfo=UTC)


def may_be_done(reply: CloudEvent | None) -> bool:
    """Without a reply it may; of replies, only a participant's refusal says that it is not."""
    return reply is None or _name(reply) not in REFUSALS


def message(start: Fulfilment, content: Command | End, *, id: str, time: datetime) -> CloudEvent:
    return envelope(
        content,
        id=id,
        source=settings.app_id,
        traceparent=start.traceparent,
        replyto=settings.replies_topic,
        time=time,
    )


def _name(reply: CloudEvent) -> str:
    """The reply's type less its version.

    A history holds replies of versions that this code cannot read any more. What the workflow made
    of them once it must make of them again, so it looks at their names alone.
    """
    return reply.type.rpartition(".v")[0]


def _reason(reply: CloudEvent) -> str:
    return cut(str(reply.data.get("reason", "")), MAX_REASON)
