"""Workflows, played turn by turn without an engine."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from dapr.ext.workflow import DaprWorkflowContext, TaskFailedError

from chassis.simulation.sdk import CompletableTask
from chassis.workflows import In, Out, Workflow

T = TypeVar("T")


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
    """An activity on its way."""

    def __init__(self, call: ActivityCall) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.call = call


class Timer(CompletableTask[None]):
    def __init__(self, seconds: timedelta) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds = seconds


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

    Raising `TimeoutError` means silence: an event does not come in time, or an activity says
    nothing. The clock moves on by as long as the workflow waited.
    """
    ctx = WorkflowContext(instance_id)
    turns = workflow(ctx, start)
    asked: list[ActivityCall | EventWait] = []
    result: Any = None
    error: Exception | None = None
    while True:
        try:
            wanted = turns.throw(error) if error else turns.send(result)
        except StopIteration as end:
            return Played(end.value, asked)
        result, error = None, None
        if isinstance(wanted, Timer):
            ctx.elapse(wanted)
        elif isinstance(wanted, EventWait):
            asked.append(wanted)
            try:
                result = answer(wanted)
            except TimeoutError as late:
                ctx.now += wanted.timeout or timedelta()
                error = late
        else:
            attempt, silence = wanted.get_tasks()
            asked.append(attempt.call)
            try:
                attempt.complete(answer(attempt.call))
            except TaskFailedError as failed:
                attempt.cancel(failed)
            except TimeoutError:
                ctx.elapse(silence)


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

    @property
    def instance_id(self) -> str:
        return self._instance_id

    @property
    def current_utc_datetime(self) -> datetime:
        # The engine's clock is UTC, without saying so.
        return self.now.replace(tzinfo=None)

    def call_activity(self, activity: Any, **options: Any) -> Any:
        return Attempt(ActivityCall(activity, options.get("input")))

    def create_timer(self, fire_at: Any) -> Any:
        return Timer(fire_at)

    def elapse(self, timer: Timer) -> None:
        self.now += timer.seconds
        timer.complete(None)

    def wait_for_external_event(self, name: str, *, timeout: Any = None) -> Any:
        return EventWait(name, timeout)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the test kit's WorkflowContext has no {name!r}")
