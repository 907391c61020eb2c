"""The only contact with what the workflow SDK keeps private: its registry and its executor.

Everything else of the simulation sees the dataclasses below and opaque history events.
`test_simulation_sdk.py` says plainly when the SDK has moved.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from dapr.ext.workflow import DaprWorkflowClient, WorkflowRuntime
from dapr.ext.workflow._durabletask import task, worker
from dapr.ext.workflow._durabletask.internal import helpers, shared, timer
from dapr.ext.workflow._durabletask.internal import protos as pb
from dapr.ext.workflow.logger import LoggerOptions
from google.protobuf import json_format

from chassis.late_responses import without_repeats

log = logging.getLogger("testkit.simulation.sdk")
log.setLevel(logging.CRITICAL)

#: One for all runtimes: the SDK adds a handler for each.
_QUIET = LoggerOptions(log_handler=logging.NullHandler())

HistoryEvent = Any

#: What a workflow may wait for, for a test that is its engine.
CompletableTask = task.CompletableTask

STATUS = "ORCHESTRATION_STATUS_"


@dataclass(frozen=True, slots=True)
class Action:
    """What a turn of a workflow asks of the engine."""

    kind: str
    id: int
    name: str = ""
    #: JSON: the input of an activity or a child, the output of a workflow.
    content: str | None = None
    #: None also for the timer of a wait without a timeout, which must never fire.
    fire_at: datetime | None = None
    child_id: str = ""
    status: str = ""
    error_type: str = ""
    error: str = ""
    carried_over: tuple[HistoryEvent, ...] = ()

    def __str__(self) -> str:
        what = {
            "scheduleTask": f"call {self.name}({self.content})",
            "createTimer": f"set a timer for {self.fire_at}",
            "createChildWorkflow": f"start {self.name} as {self.child_id} with {self.content}",
            "completeWorkflow": f"end as {self.status} with {self.content or self.error}",
        }
        return what.get(self.kind, self.kind)


#: What the history holds for each of these actions.
RECORDED = {
    "taskScheduled": "scheduleTask",
    "timerCreated": "createTimer",
    "childWorkflowInstanceCreated": "createChildWorkflow",
    "executionCompleted": "completeWorkflow",
}


class Worker:
    """Workflows and activities, registered as ever, and run turn by turn by the SDK's executor."""

    def __init__(self) -> None:
        self._workflows: dict[str, Any] = {}
        self._activities: dict[str, Any] = {}

    def register_workflow(self, function: Any, name: str) -> None:
        self._workflows[name] = function

    def register_activity(self, function: Any, name: str) -> None:
        self._activities[name] = function

    @cached_property
    def _registry(self) -> Any:
        # At the first turn: it takes half a millisecond, and many replicas never get a turn.
        runtime = WorkflowRuntime("127.0.0.1", "1", logger_options=_QUIET)
        for name, function in self._workflows.items():
            runtime.register_workflow(function, name=name)
        for name, function in self._activities.items():
            runtime.register_activity(function, name=name)
        return runtime._WorkflowRuntime__worker._registry  # type: ignore[attr-defined]

    def turn(
        self, instance_id: str, old: Sequence[HistoryEvent], new: Sequence[HistoryEvent]
    ) -> list[Action]:
        executor = worker._OrchestrationExecutor(self._registry, log)
        result = executor.execute(instance_id, without_repeats(old), new)
        return [_action(each) for each in result.actions]

    async def activity(self, instance_id: str, task_id: int, name: str, content: str | None) -> str:
        """The result as JSON; raises what the activity raises."""
        function: Any = self._registry.get_activity(name)
        if function is None:
            raise LookupError(f"no activity {name!r} is registered")
        argument = shared.from_json(content) if content else None  # type: ignore[no-untyped-call]
        result = function(task.ActivityContext(instance_id, task_id), argument)
        if hasattr(result, "__await__"):
            result = await result
        return str(shared.to_json(result))  # type: ignore[no-untyped-call]


def _action(action: Any) -> Action:
    kind: str = action.WhichOneof("workflowActionType")
    it = getattr(action, kind)
    if kind == "scheduleTask":
        return Action(kind, action.id, it.name, _text(it, "input"))
    if kind == "createTimer":
        return Action(kind, action.id, fire_at=_time(it.fireAt))
    if kind == "createChildWorkflow":
        return Action(kind, action.id, it.name, _text(it, "input"), child_id=it.instanceId)
    if kind == "completeWorkflow":
        return Action(
            kind,
            action.id,
            content=_text(it, "result"),
            status=pb.OrchestrationStatus.Name(it.workflowStatus).removeprefix(STATUS),
            error_type=it.failureDetails.errorType,
            error=it.failureDetails.errorMessage,
            carried_over=tuple(it.carryoverEvents),
        )
    raise NotImplementedError(f"the simulated engine does not know {kind}")


def turn_began(now: datetime) -> HistoryEvent:
    return helpers.new_workflow_started_event(now.replace(tzinfo=None))


def workflow_began(name: str, instance_id: str, content: str | None) -> HistoryEvent:
    return helpers.new_execution_started_event(name, instance_id, content)


def event_raised(name: str, content: str | None) -> HistoryEvent:
    return helpers.new_event_raised_event(name, content)


def timer_fired(action: Action) -> HistoryEvent:
    return pb.HistoryEvent(
        eventId=-1, timerFired=pb.TimerFiredEvent(timerId=action.id, fireAt=_stamp(action.fire_at))
    )


def activity_ended(task_id: int, result: str | Exception) -> HistoryEvent:
    if isinstance(result, Exception):
        return helpers.new_task_failed_event(task_id, result)
    return helpers.new_task_completed_event(task_id, result)


def child_ended(task_id: int, end: Action) -> HistoryEvent:
    if end.status == "COMPLETED":
        return helpers.new_child_workflow_completed_event(task_id, end.content)
    event = helpers.new_child_workflow_failed_event(task_id, Exception(end.error))
    event.childWorkflowInstanceFailed.failureDetails.errorType = end.error_type
    return event


def recorded(action: Action) -> HistoryEvent:
    """How the history remembers that this was asked for."""
    if action.kind == "scheduleTask":
        return helpers.new_task_scheduled_event(action.id, action.name, action.content)
    if action.kind == "createChildWorkflow":
        return helpers.new_child_workflow_created_event(
            action.id, action.name, action.child_id, action.content
        )
    if action.kind == "completeWorkflow":
        completed = pb.ExecutionCompletedEvent(
            workflowStatus=pb.OrchestrationStatus.Value(STATUS + action.status),
            result=helpers.get_string_value(action.content),
        )
        return pb.HistoryEvent(eventId=action.id, executionCompleted=completed)
    return pb.HistoryEvent(
        eventId=action.id, timerCreated=pb.TimerCreatedEvent(fireAt=_stamp(action.fire_at))
    )


def asked_for(event: HistoryEvent) -> Action | None:
    """The action that this event of a history records, or None if it records something else."""
    field: str = event.WhichOneof("eventType")
    kind = RECORDED.get(field)
    if kind is None:
        return None
    it = getattr(event, field)
    if kind == "createTimer":
        return Action(kind, event.eventId, fire_at=_time(it.fireAt))
    if kind == "completeWorkflow":
        status = pb.OrchestrationStatus.Name(it.workflowStatus).removeprefix(STATUS)
        return Action(kind, event.eventId, content=_text(it, "result"), status=status)
    child_id = it.instanceId if kind == "createChildWorkflow" else ""
    return Action(kind, event.eventId, it.name, _text(it, "input"), child_id=child_id)


def begins_turn(event: HistoryEvent) -> bool:
    return bool(event.HasField("workflowStarted"))


def to_json(event: HistoryEvent) -> Any:
    return json_format.MessageToDict(event)


def from_json(content: Any) -> HistoryEvent:
    return json_format.ParseDict(content, pb.HistoryEvent())


def history(client: DaprWorkflowClient, instance_id: str) -> list[HistoryEvent]:
    """With inputs and results, which `get_workflow_history` of the client leaves out."""
    events = client._DaprWorkflowClient__obj.get_instance_history(instance_id)  # type: ignore[attr-defined]
    return list(events)


def _text(holder: Any, field: str) -> str | None:
    return str(getattr(holder, field).value) if holder.HasField(field) else None


def _time(stamp: Any) -> datetime | None:
    if stamp.seconds == timer.OPTIONAL_TIMER_FIRE_AT.seconds:
        return None
    time: datetime = stamp.ToDatetime(tzinfo=UTC)
    return time


def _stamp(time: datetime | None) -> Any:
    if time is None:
        return timer.OPTIONAL_TIMER_FIRE_AT
    return helpers.new_timestamp(time.replace(tzinfo=None))
