"""Workflows, played turn by turn without an engine."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from dapr.ext.workflow import DaprWorkflowContext, TaskFailedError

from chassis.workflows import In, Out, Workflow
from testkit.simulation.sdk import CompletableTask

T = TypeVar("T")

#: A workflow that asks for more never ends.
MAX_ASKED = 10_000


@dataclass(frozen=True, slots=True)
class ActivityCall:
    """A workflow wants this activity to run."""

    name: str
    input: Any


@dataclass(frozen=True, slots=True)
class EventWait:
    """A workflow waits for this external event."""

    name: str
    timeout: timedelta | None = None


class Attempt(CompletableTask[Any]):
    """An activity on its way, or an event that is waited for."""

    def __init__(self, call: ActivityCall | EventWait) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.call = call


class Timer(CompletableTask[None]):
    """`attempt`: the wait for an event that ends when it fires."""

    def __init__(self, due: datetime, attempt: Attempt | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.due = due
        self.attempt = attempt

    @property
    def is_over(self) -> bool:
        return self.is_complete or (self.attempt is not None and self.attempt.is_complete)

    def fire(self) -> None:
        self.complete(None)
        if self.attempt is not None:
            self.attempt.cancel(TimeoutError())


@dataclass(frozen=True, slots=True)
class Played(Generic[T]):
    """What a workflow returned, and all that it asked the engine for, in order."""

    result: T
    asked: list[ActivityCall | EventWait]

    def calls(self, activity: str) -> list[ActivityCall]:
        return [
            each for each in self.asked if isinstance(each, ActivityCall) and each.name == activity
        ]


def play(
    workflow: Workflow[In, Out],
    start: In,
    answer: Callable[[ActivityCall | EventWait], Any],
    *,
    instance_id: str = "workflow",
) -> Played[Out]:
    """Run a workflow to its end. `answer` stands for the engine: it returns a result or raises.

    Raising `TimeoutError` means that there is none: the event does not come in time, or the
    activity never ends. Once nothing else can happen, the clock moves on to the next timer.
    """
    ctx = WorkflowContext(instance_id)
    turns = workflow(ctx, start)
    asked: list[ActivityCall | EventWait] = []
    waiting: list[Attempt] = []
    wanted: Any = None
    while True:
        try:
            if wanted is not None and wanted.is_failed:
                wanted = turns.throw(wanted.get_exception())
            else:
                wanted = turns.send(None if wanted is None else wanted.get_result())
        except StopIteration as end:
            return Played(end.value, asked)
        while not wanted.is_complete:
            waiting += ctx.new()
            if not waiting:
                ctx.elapse()
                continue
            attempt = waiting.pop(0)
            if attempt.is_complete:
                continue
            asked.append(attempt.call)
            if len(asked) > MAX_ASKED:
                raise RuntimeError(f"the workflow does not end: it asks for {attempt.call} again")
            try:
                attempt.complete(answer(attempt.call))
            except TaskFailedError as failed:
                attempt.cancel(failed)
            except TimeoutError:
                pass


def activity_failed(reason: str, error_type: str = "Unavailable") -> TaskFailedError:
    """How the engine says that an activity has failed."""
    return TaskFailedError(reason, _Details(reason, error_type))  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Details:
    errorMessage: str
    errorType: str
    stackTrace: None = None


class WorkflowContext(DaprWorkflowContext):
    """As much of the engine's context as a workflow in a test needs."""

    def __init__(self, instance_id: str) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self._instance_id = instance_id
        self._new: list[Attempt] = []
        self._timers: list[Timer] = []

    @property
    def instance_id(self) -> str:
        return self._instance_id

    @property
    def current_utc_datetime(self) -> datetime:
        # The engine's clock is UTC, without saying so.
        return self.now.replace(tzinfo=None)

    def new(self) -> list[Attempt]:
        """What was asked for since the last call of this."""
        new, self._new = self._new, []
        return new

    def call_activity(self, activity: Any, **options: Any) -> Any:
        return self._attempt(ActivityCall(activity, options.get("input")))

    def create_timer(self, fire_at: Any) -> Any:
        return self._timer(fire_at)

    def wait_for_external_event(self, name: str, *, timeout: Any = None) -> Any:
        attempt = self._attempt(EventWait(name, timeout))
        if timeout is not None:
            self._timer(timeout, attempt)
        return attempt

    def elapse(self) -> None:
        """Move on to the next timer."""
        self._timers = [each for each in self._timers if not each.is_over]
        self._timers.sort(key=lambda timer: timer.due)
        if not self._timers:
            raise RuntimeError("the workflow waits for what never comes")
        timer = self._timers.pop(0)
        self.now = max(self.now, timer.due)
        timer.fire()

    def _attempt(self, call: ActivityCall | EventWait) -> Attempt:
        self._new.append(Attempt(call))
        return self._new[-1]

    def _timer(self, after: timedelta, attempt: Attempt | None = None) -> Timer:
        self._timers.append(Timer(self.now + after, attempt))
        return self._timers[-1]

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the test kit's WorkflowContext has no {name!r}")
