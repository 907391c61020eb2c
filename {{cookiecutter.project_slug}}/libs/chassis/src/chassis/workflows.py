"""Workflows and activities as plain functions, and how a workflow calls activities.

Nothing here touches Dapr before a `WorkflowHost` starts: a test calls the functions as they are.
"""

from collections.abc import Callable, Coroutine, Generator, Mapping
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar, get_type_hints

from dapr.ext.workflow import DaprWorkflowContext, when_any
from pydantic import BaseModel

from chassis.errors import Over, Rejected, Unavailable
from chassis.handlers import M, by_type
from chassis.messages import Message

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel)

#: Between two attempts: twice as long each time. A history grows with each attempt.
FIRST_WAIT = timedelta(milliseconds=500)
LONGEST_WAIT = timedelta(hours=1)
#: An attempt that has said nothing by then counts as failed. Longer than any handler may run.
ATTEMPT_TIMEOUT = timedelta(minutes=1)

#: Runs again from its start at each turn: no clock, no random number, no I/O.
Workflow = Callable[[DaprWorkflowContext, In], Generator[Any, Any, Out]]
#: Does the I/O. It may run more than once, so what it does must be idempotent. If its argument has
#: a `cause`, a CloudEvent, its log lines have that event's subject and trace. Its second argument
#: is the `chassis.Service` that hosts it, which is not named here: it imports this module.
Activity = Callable[[In, Any], Coroutine[Any, Any, Out]]


class Workflows:
    """A registry of the workflows and activities of one adapter file."""

    def __init__(self) -> None:
        self.workflows: list[Workflow[Any, Any]] = []
        self.activities: list[Activity[Any, Any]] = []
        self.histories: list[Mapping[str, type[Message]]] = []

    def workflow(self, function: Workflow[In, Out]) -> Workflow[In, Out]:
        self.workflows.append(function)
        return function

    def activity(self, function: Activity[In, Out]) -> Activity[In, Out]:
        self.activities.append(function)
        return function

    def reads(self, *messages: type[M]) -> dict[str, type[M]]:
        """For `read`: the messages that stand in envelopes in a history, of each version."""
        by_their_type = by_type(*messages)
        self.histories.append(by_their_type)
        return by_their_type


class Calls:
    """How one run of a workflow calls activities: `reply = yield from calls(activity, …)`.

    No attempt is waited for without an end. daprd 1.18 sends an activity off before it stores that
    it did: when the store is away just then, the result comes to a workflow that has not asked for
    it yet, is dropped, and does not come again.
    """

    def __init__(self, ctx: DaprWorkflowContext) -> None:
        self._ctx = ctx
        #: A timer serves many attempts, one at a time. As a rule it never fires: what it costs, it
        #: costs once.
        self._free: list[Any] = []

    def __call__(
        self, activity: Activity[In, Out], argument: In, timeout: timedelta | None = None
    ) -> Generator[Any, Any, Out]:
        """The activity's result; what fails is tried again until the timeout is used up.

        Without one, for ever. Raises `Rejected` when the activity did, `Unavailable` at the end.
        """
        began, wait = self._ctx.current_utc_datetime, FIRST_WAIT
        while True:
            try:
                return (yield from self.once(activity, argument))
            except Unavailable:
                waited = self._ctx.current_utc_datetime - began
                if timeout is not None and waited + wait > timeout:
                    raise
            yield self._ctx.create_timer(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def once(self, activity: Activity[In, Out], argument: In) -> Generator[Any, Any, Out]:
        """The activity's result, typed on both sides.

        Raises `Rejected` when the activity did, and `Unavailable` for any other failure.
        """
        model: type[Out] = output_of(activity)
        attempt: Any = self._ctx.call_activity(
            name_of(activity), input=argument.model_dump(mode="json")
        )
        timer = self._timer()
        yield when_any([attempt, timer])
        if not timer.is_complete:
            self._free.append(timer)
        if not attempt.is_complete:
            raise Unavailable(f"{name_of(activity)} has not ended in time")
        if attempt.is_failed:
            details = attempt.get_exception().details
            kinds = (kind for kind in (Over, Rejected) if kind.__name__ == details.error_type)
            raise next(kinds, Unavailable)(details.message)
        return model.model_validate(attempt.get_result())

    def _timer(self) -> Any:
        while self._free:
            timer = self._free.pop()
            if not timer.is_complete:
                return timer
        return self._ctx.create_timer(ATTEMPT_TIMEOUT)


def name_of(function: Callable[..., Any]) -> str:
    return function.__name__


@cache
def output_of(activity: Activity[Any, Any]) -> Any:
    """The pydantic model that it returns."""
    return get_type_hints(activity)["return"]


def input_of(function: Callable[..., Any], position: int) -> type[BaseModel]:
    """The pydantic model of the parameter at this position."""
    hints = get_type_hints(function)
    model: type[BaseModel] = hints[list(hints)[position]]
    return model
