"""How processes are shown: one with all that happened, many with what each of them waits for."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, Field

from chassis.saga.declaration import Saga
from chassis.saga.progress import (
    NEEDS_HUMAN_AFTER,
    Progress,
    Recorded,
    Retry,
    State,
    failure,
    retries,
    undone,
)
from chassis.saga.styles import Style
from chassis.text import cut

#: Bytes of a cause in a list.
MAX_CAUSE = 300


class Failure(BaseModel):
    """The step of the saga that was not done, and why."""

    step: str
    reason: str


class RetryView(BaseModel):
    """A command that a participant has not carried out yet, and is given again."""

    command: str
    participant: str
    attempts: int
    since: datetime
    cause: str
    needs_human: bool

    @classmethod
    def of(cls, retry: Retry, now: datetime) -> Self:
        return cls(
            command=retry.command,
            participant=retry.participant,
            attempts=retry.attempts,
            since=retry.since,
            cause=retry.cause,
            needs_human=retry.needs_human(now),
        )


class ProcessView(BaseModel):
    """A process as far as it is: what happened when, what failed and why, what was undone."""

    id: str
    style: Style
    state: State
    started_at: datetime
    ended_at: datetime | None
    #: The data of the message that started it.
    started: Mapping[str, Any]
    steps: tuple[Recorded, ...]
    retrying: tuple[RetryView, ...]
    failure: Failure | None
    undone: tuple[str, ...]

    @classmethod
    def of(cls, saga: Saga, progress: Progress, now: datetime) -> Self | None:
        """None: replies about it are known, and the process itself is not yet."""
        if progress.started is None or progress.style is None or progress.started_at is None:
            return None
        failure = None
        if progress.failed_step is not None:
            failure = Failure(step=progress.failed_step, reason=progress.reason or "")
        return cls(
            id=progress.id,
            style=progress.style,
            state=progress.state,
            started_at=progress.started_at,
            ended_at=progress.ended_at,
            started=progress.started,
            steps=progress.steps,
            retrying=tuple(RetryView.of(retry, now) for retry in retries(saga, progress, now)),
            failure=failure,
            undone=tuple(undone(saga, progress)),
        )


class Phase(StrEnum):
    """What an unfinished process is about; of several the last one here that holds."""

    RUNNING = "running"
    COMPENSATING = "compensating"
    RETRYING = "retrying"
    STUCK = "stuck"


class Summary(BaseModel):
    """An unfinished process in a list."""

    saga: str
    id: str
    style: Style | None = None
    state: Phase = Field(
        description="stuck: nothing has happened, or a command was tried in vain, for 15 minutes."
    )
    #: Since it was listed.
    age_seconds: int
    #: The commands that it waits for.
    waits_for: tuple[str, ...] = ()
    #: Why the last attempt, or the process itself, has failed.
    cause: str | None = None

    @classmethod
    def of(cls, saga: Saga, progress: Progress, since: int, now: datetime) -> Self:
        retrying = retries(saga, progress, now)
        failed = failure(saga, progress)
        why = progress.reason or (progress.why(failed) if failed else "")
        cause = next((retry.cause for retry in reversed(retrying)), why)
        return cls(
            saga=saga.name,
            id=progress.id,
            style=progress.style,
            state=_phase(saga, progress, since, retrying, now),
            age_seconds=_age(since, now),
            waits_for=tuple(_waits_for(saga, progress)),
            cause=cut(cause, MAX_CAUSE) if cause else None,
        )

    @classmethod
    def unknown(cls, saga: str, id: str, since: int, now: datetime, cause: str) -> Self:
        """One that this release cannot go on with."""
        age = _age(since, now)
        return cls(
            saga=saga, id=id, state=Phase.STUCK, age_seconds=age, cause=cut(cause, MAX_CAUSE)
        )


def _age(since: int, now: datetime) -> int:
    return max(0, int(now.timestamp()) - since)


def _phase(
    saga: Saga, progress: Progress, since: int, retrying: tuple[Retry, ...], now: datetime
) -> Phase:
    # The senders of replies have clocks of their own: what lies ahead is as if it were now.
    began = datetime.fromtimestamp(since, UTC)
    moved = min(now, max((step.at for step in progress.steps), default=began))
    if now - moved >= NEEDS_HUMAN_AFTER or any(each.needs_human(now) for each in retrying):
        return Phase.STUCK
    if retrying:
        return Phase.RETRYING
    return Phase.COMPENSATING if _is_compensating(saga, progress) else Phase.RUNNING


def _is_compensating(saga: Saga, progress: Progress) -> bool:
    failed = progress.failed_step or failure(saga, progress)
    return failed is not None or bool(undone(saga, progress))


def _waits_for(saga: Saga, progress: Progress) -> list[str]:
    if progress.asked:
        return [asked.command for asked in progress.asked]
    if _is_compensating(saga, progress):
        left = (
            step.undo
            for step in saga.steps
            if progress.is_done(step) and not progress.is_undone(step)
        )
        return [undo.__name__ for undo in left if undo is not None]
    stages = ([step for step in each if not progress.is_done(step)] for each in saga.stages)
    return [step.name for step in next(filter(None, stages), ())]
