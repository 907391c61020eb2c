"""What a process manager does next. Pure: the record of a process in, commands out.

A command that is not answered is given again under the same id, so a participant that has done it
finds it in its inbox and sends the recorded reply again. What may have been done counts as done.

A process may have begun under an older declaration. A step that is not declared any more is not
asked for; one that was put before what cannot be undone, and may be done, is skipped. It is not
cancelled before an undo that was declared when its step was asked for is declared again, and done.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.messages import Message
from chassis.saga.declaration import MAX_REASON, Kind, Saga, Stage, Step
from chassis.saga.progress import (
    Asked,
    Progress,
    Retry,
    State,
    Undo,
)
from chassis.text import cut

#: Between two attempts: each time as long again as the step is being tried. The first is shorter
#: than the time between two looks, which would otherwise come a moment too early for it.
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
NOT_DECLARED = "the saga does not declare it any more, and its step may be done: declare it again"
#: Bytes of why an attempt failed.
MAX_CAUSE = 500


@dataclass(frozen=True, slots=True)
class Given:
    """A command to be published. `refusals`: of the same command, under earlier ids."""

    command: type[Message]
    refusals: int


def in_seconds(time: timedelta) -> timedelta:
    """As a person reads it."""
    return timedelta(seconds=round(time.total_seconds()))


def due(asked: Asked, now: datetime, first: timedelta = FIRST_WAIT) -> datetime:
    """When it is given again: after as long again as it is being tried."""
    return now + min(max(first, now - asked.since), LONGEST_WAIT)


class Manager:
    """`timeout`: how long a step that can be undone is waited for, retries included."""

    def __init__(self, saga: Saga, timeout: timedelta) -> None:
        self.saga = saga
        self._timeout = timeout

    def advance(self, progress: Progress, now: datetime) -> tuple[Progress, Sequence[Given]]:
        """Give what comes next, after a reply or at the start."""
        if progress.has_ended or progress.started is None:
            return progress, ()
        progress = self._settle(progress)
        wanted = list(self._next(progress, now))
        waiting = {asked.command for asked in progress.asked}
        new = [self._first(command, now) for command in wanted if command.__name__ not in waiting]
        undos = [undo for each in new if (undo := self._undo_of(each)) is not None]
        progress = replace(progress, asked=(*progress.asked, *new), undos=(*progress.undos, *undos))
        return self._shown(progress, now), [Given(self.saga.named[each.command], 0) for each in new]

    def look(self, progress: Progress, now: datetime) -> tuple[Progress, Sequence[Given]]:
        """Give again what is not answered in time, or give it up."""
        if progress.has_ended or progress.started is None:
            return progress, ()
        progress = self._settle(progress)
        again = []
        for asked in progress.asked:
            step = self._step(asked)
            if asked.due > now:
                continue
            cause = f"{step.at} did not reply in {in_seconds(now - asked.since)}"
            if asked.is_refused:
                cause = asked.cause
            if self._can_be_given_up(asked) and now >= asked.since + self._timeout:
                progress = self._failed(progress, step, cause)
                return self.advance(progress, now)
            again.append(
                replace(
                    asked,
                    attempts=asked.attempts + 1,
                    due=self._due(asked, now),
                    is_refused=False,
                    cause=cut(cause, MAX_CAUSE),
                )
            )
        names = {each.command: each for each in again}
        waiting = tuple(names.get(each.command, each) for each in progress.asked)
        progress, given = self.advance(replace(progress, asked=waiting), now)
        return progress, [
            *(Given(self.saga.named[each.command], each.refusals) for each in again),
            *given,
        ]

    def waiting(self, progress: Progress) -> Iterator[tuple[type[Message], Asked]]:
        """The commands that are not answered."""
        for asked in progress.asked:
            if asked.command in self.saga.named:
                yield self.saga.named[asked.command], asked

    def refuse(self, progress: Progress, asked: Asked, reason: str) -> Progress:
        """The participant never will: a `CommandRefused`."""
        step = self._step(asked)
        if self._may_refuse(asked):
            refused = replace(progress, refused=(*progress.refused, asked.command))
            return self._failed(refused, step, reason)
        # It must not refuse, and was not done: it is asked again, under another id.
        cause = f"{step.at} refused: {reason}"
        new = replace(
            asked, refusals=asked.refusals + 1, is_refused=True, cause=cut(cause, MAX_CAUSE)
        )
        rest = tuple(new if each is asked else each for each in progress.asked)
        return self._shown(replace(progress, asked=rest), asked.since)

    def _settle(self, progress: Progress) -> Progress:
        """Less what was answered."""
        left = tuple(
            each
            for each in progress.asked
            if each.command in self.saga.named and not progress.is_settled(self.saga, each.command)
        )
        steps = {step.name: step for step in self.saga.steps}
        undos = tuple(
            each
            for each in progress.undos
            if (step := steps.get(each.command)) is None
            or not (progress.is_refused(step) or progress.is_undone(step))
        )
        progress = replace(progress, asked=left, undos=undos)
        if progress.failed_step is None and not self._is_committed(progress):
            for step in self.saga.steps:
                if progress.is_refused(step):
                    return self._failed(progress, step, progress.why(step))
        return progress

    def _failed(self, progress: Progress, step: Step, reason: str) -> Progress:
        """From now on the process is undone; what was asked for is not asked for any more."""
        if progress.failed_step is not None:
            return progress
        return replace(progress, failed_step=step.name, reason=cut(reason, MAX_REASON), asked=())

    def _next(self, progress: Progress, now: datetime) -> Iterator[type[Message]]:
        if progress.failed_step is None:
            for stage in self.saga.stages:
                missing = self._missing(stage, progress)
                if missing:
                    yield from (step.command for step in missing)
                    return
            return
        # Order matters: what was done last is undone first, unless nobody answers for it in time.
        for stage in self._begun(progress):
            for step in self._not_undone(stage, progress):
                if step.undo is not None:
                    yield step.undo
            if not self._all_late(stage, progress, now):
                return

    def _missing(self, stage: Stage, progress: Progress) -> list[Step]:
        """The steps of the stage that are still to be done."""
        left = [step for step in stage if not progress.is_done(step)]
        if not self._is_committed(progress):
            return left
        # The others were put there by a later release: they may refuse, and it is too late to undo.
        asked = {each.command for each in progress.asked}
        return [step for step in left if step.kind is Kind.RETRIABLE or step.name in asked]

    def _is_committed(self, progress: Progress) -> bool:
        """Whether a step that cannot be undone is done, or may be: then the process completes."""
        asked = {each.command for each in progress.asked}
        return any(
            progress.is_done(step) or step.name in asked
            for step in self.saga.steps
            if step.kind is not Kind.COMPENSATABLE
        )

    def _begun(self, progress: Progress) -> Iterator[Stage]:
        """The stages up to the one that failed, the last one first."""
        names = [{step.name for step in stage} for stage in self.saga.stages]
        # All of them, if it is not declared any more: to undo what was never done is harmless.
        last = next(
            (number for number, each in enumerate(names) if progress.failed_step in each),
            len(names),
        )
        yield from reversed(self.saga.stages[: last + 1])

    def _not_undone(self, stage: Stage, progress: Progress) -> list[Step]:
        return [
            step
            for step in stage
            if step.undo is not None
            and not progress.is_refused(step)
            and not progress.is_undone(step)
        ]

    def _all_late(self, stage: Stage, progress: Progress, now: datetime) -> bool:
        since = {asked.command: asked.since for asked in progress.asked}
        return all(
            step.undo is not None and now >= since.get(step.undo.__name__, now) + self._timeout
            for step in self._not_undone(stage, progress)
        )

    def end(self, progress: Progress) -> State | None:
        """How the process ends now; None: it has ended, or not yet."""
        if progress.has_ended or progress.started is None:
            return None
        if progress.failed_step is None:
            left = any(self._missing(stage, progress) for stage in self.saga.stages)
            return None if left else State.COMPLETED
        left = any(self._not_undone(stage, progress) for stage in self._begun(progress))
        return None if left or self._undeclared(progress) else State.CANCELLED

    def _undo_of(self, asked: Asked) -> Undo | None:
        step = self._step(asked)
        if step.undo is None or self._is_undo(asked):
            return None
        return Undo(step.name, step.undo.__name__, step.at)

    def _undeclared(self, progress: Progress) -> list[Undo]:
        """What an older release would undo: its step may be done, and this one does not know how.

        Before the process has failed, nothing has to be undone.
        """
        if progress.failed_step is None:
            return []
        return [each for each in progress.undos if each.undo not in self.saga.named]

    def _step(self, asked: Asked) -> Step:
        return self.saga.commands[self.saga.named[asked.command]]

    def _is_undo(self, asked: Asked) -> bool:
        return self._step(asked).undo is self.saga.named[asked.command]

    def _may_refuse(self, asked: Asked) -> bool:
        return not self._is_undo(asked) and self._step(asked).kind is not Kind.RETRIABLE

    def _can_be_given_up(self, asked: Asked) -> bool:
        """What cannot be undone must be answered: only then is it known how the process ends."""
        return not self._is_undo(asked) and self._step(asked).kind is Kind.COMPENSATABLE

    def _first(self, command: type[Message], now: datetime) -> Asked:
        asked = Asked(command.__name__, since=now, due=now)
        return replace(asked, due=self._due(asked, now))

    def _due(self, asked: Asked, now: datetime) -> datetime:
        again = due(asked, now, min(FIRST_WAIT, self._timeout / 4))
        # It is given up in time, however long the pause would be.
        return min(again, asked.since + self._timeout) if self._can_be_given_up(asked) else again

    def _shown(self, progress: Progress, now: datetime) -> Progress:
        since = {each.command: each.since for each in progress.retrying}
        undeclared = (
            # Nobody can be asked: a case for a human at once.
            Retry(each.undo, each.at, 0, since.get(each.undo, now), NOT_DECLARED, refused=True)
            for each in self._undeclared(progress)
        )
        late = (
            Retry(
                each.command,
                self._step(each).at,
                each.failures,
                each.since,
                each.cause,
                each.refusals > 0,
            )
            for each in progress.asked
            if each.cause
        )
        retrying = (*late, *undeclared)
        return progress if retrying == progress.retrying else replace(progress, retrying=retrying)
