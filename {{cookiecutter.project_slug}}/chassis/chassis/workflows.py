"""Workflows and activities as plain functions, and how a workflow calls an activity.

Nothing here touches Dapr before a `WorkflowHost` starts: a test calls the functions as they are.
"""

from collections.abc import Callable, Coroutine, Generator
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy
from pydantic import BaseModel

if TYPE_CHECKING:
    from chassis.service import Service

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel)

#: Runs again from its start at each turn: no clock, no random number, no I/O.
Workflow = Callable[[DaprWorkflowContext, In], Generator[Any, Any, Out]]
#: Does the I/O. It may run more than once, so what it does must be idempotent.
Activity = Callable[[In, "Service"], Coroutine[Any, Any, Out]]


class Workflows:
    """A registry of the workflows and activities of one adapter file."""

    def __init__(self) -> None:
        self.workflows: list[Workflow[Any, Any]] = []
        self.activities: list[Activity[Any, Any]] = []

    def workflow(self, function: Workflow[In, Out]) -> Workflow[In, Out]:
        self.workflows.append(function)
        return function

    def activity(self, function: Activity[In, Out]) -> Activity[In, Out]:
        self.activities.append(function)
        return function


def call(
    ctx: DaprWorkflowContext,
    activity: Activity[In, Out],
    argument: In,
    retry_policy: RetryPolicy | None = None,
) -> Generator[Any, Any, Out]:
    """`reply = yield from call(ctx, activity, argument)`, typed on both sides.

    Raises `TaskFailedError` once the retry policy gives up.
    """
    result = yield ctx.call_activity(
        name_of(activity), input=argument.model_dump(mode="json"), retry_policy=retry_policy
    )
    model: type[Out] = output_of(activity)
    return model.model_validate(result)


def name_of(function: Callable[..., Any]) -> str:
    return function.__name__


@cache
def output_of(activity: Activity[Any, Any]) -> Any:
    """The pydantic model that it returns."""
    return get_type_hints(activity, localns={"Service": Any})["return"]


def input_of(function: Callable[..., Any], position: int) -> type[BaseModel]:
    """The pydantic model of the parameter at this position."""
    hints = get_type_hints(function, localns={"Service": Any})
    model: type[BaseModel] = hints[list(hints)[position]]
    return model
