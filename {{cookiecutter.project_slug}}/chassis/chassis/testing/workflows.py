"""Workflows, played turn by turn without an engine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from dapr.ext.workflow import DaprWorkflowContext, TaskFailedError

from chassis.workflows import In, Out, Workflow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ActivityCall:
    """A workflow wants this activity to run."""

    name: str
    input: Any
    retry_policy: Any = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class EventWait:
    """A workflow waits for this external event."""

    name: str
    timeout: timedelta | None = None


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

    Raising `TimeoutError` for an `EventWait` moves the clock on by its timeout.
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
        asked.append(wanted)
        result, error = None, None
        try:
            result = answer(wanted)
        except TimeoutError as late:
            ctx.now += getattr(wanted, "timeout", None) or timedelta()
            error = late
        except TaskFailedError as failed:
            error = failed


def activity_failed(reason: str, error_type: str = "Unavailable") -> TaskFailedError:
    """What the engine raises into a workflow once it has given up on an activity."""
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
        return ActivityCall(activity, options.get("input"), options.get("retry_policy"))

    def wait_for_external_event(self, name: str, *, timeout: Any = None) -> Any:
        return EventWait(name, timeout)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the test kit's WorkflowContext has no {name!r}")
