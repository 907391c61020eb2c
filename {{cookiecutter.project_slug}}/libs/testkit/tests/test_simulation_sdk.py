"""If one of these fails after an update of the SDK, chassis/simulation/sdk.py has to follow."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from inspect import signature
from typing import Any

import pytest
from dapr.ext.workflow._durabletask.worker import _OrchestrationExecutor

from testkit.simulation import sdk

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MOVED = f"the workflow SDK has moved with dapr-ext-workflow or dapr {version('dapr')}: "


def greeting(ctx: Any, start: Any) -> Any:
    yield ctx.call_activity("greet", input=start)
    yield ctx.create_timer(timedelta(seconds=1))
    return (yield ctx.wait_for_external_event("go"))


@pytest.fixture
def worker() -> sdk.Worker:
    worker = sdk.Worker()
    # The SDK takes a function only once.
    worker.register_workflow(lambda ctx, start: greeting(ctx, start), "workflow")
    worker.register_activity(lambda _, name: f"hello {name}", "greet")
    return worker


def began() -> list[sdk.HistoryEvent]:
    return [sdk.turn_began(NOW), sdk.workflow_began("workflow", "1", '"ada"')]


def test_the_executor_takes_an_id_and_the_old_and_the_new_events() -> None:
    parameters = list(signature(_OrchestrationExecutor.execute).parameters)
    assert parameters[:4] == ["self", "instance_id", "old_events", "new_events"], MOVED + "execute"


def test_a_turn_says_what_it_asks_for(worker: sdk.Worker) -> None:
    (call,) = worker.turn("1", [], began())
    assert call == sdk.Action("scheduleTask", 1, "greet", '"ada"'), MOVED + "actions"


def test_a_replay_takes_the_workflow_on_from_where_it_was(worker: sdk.Worker) -> None:
    (call,) = worker.turn("1", [], began())
    old = [*began(), sdk.recorded(call)]
    (timer,) = worker.turn("1", old, [sdk.turn_began(NOW), sdk.activity_ended(1, '"hi"')])
    assert (timer.kind, timer.fire_at) == ("createTimer", NOW + timedelta(seconds=1)), MOVED


def test_the_timer_of_an_endless_wait_never_fires(worker: sdk.Worker) -> None:
    (call,) = worker.turn("1", [], began())
    news = [sdk.turn_began(NOW), sdk.activity_ended(1, '"hi"')]
    (timer,) = worker.turn("1", [*began(), sdk.recorded(call)], news)
    old = [*began(), sdk.recorded(call), *news, sdk.recorded(timer)]
    (wait,) = worker.turn("1", old, [sdk.turn_began(NOW), sdk.timer_fired(timer)])
    assert (wait.kind, wait.fire_at) == ("createTimer", None), MOVED + "endless waits"


async def test_an_activity_gets_its_input_and_its_result_is_json(worker: sdk.Worker) -> None:
    assert await worker.activity("1", 1, "greet", '"ada"') == '"hello ada"', MOVED + "activities"


@pytest.mark.parametrize(
    "action",
    [
        sdk.Action("scheduleTask", 1, "greet", '"ada"'),
        sdk.Action("createTimer", 2, fire_at=NOW),
        sdk.Action("createTimer", 2),
        sdk.Action("createChildWorkflow", 3, "child", None, child_id="1:3"),
        sdk.Action("completeWorkflow", 4, content="1", status="COMPLETED"),
    ],
)
def test_what_is_recorded_of_an_action_is_that_action(action: sdk.Action) -> None:
    event = sdk.from_json(sdk.to_json(sdk.recorded(action)))
    assert sdk.asked_for(event) == action
