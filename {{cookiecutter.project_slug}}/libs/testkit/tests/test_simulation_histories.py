"""Histories against code that has changed since, in ways that break an instance in flight."""

import re
from datetime import timedelta
from typing import Any

import pytest

from testkit.simulation.clock import START
from testkit.simulation.histories import Recording, differences, dump, load
from testkit.simulation.sdk import (
    Worker,
    activity_ended,
    recorded,
    turn_began,
    workflow_began,
)


def original(ctx: Any, start: Any) -> Any:
    yield ctx.call_activity("book", input=start)
    yield ctx.create_timer(timedelta(seconds=5))
    yield ctx.call_child_workflow("child", input=1, instance_id="1-child")
    return "done"


def another_input(ctx: Any, start: Any) -> Any:
    yield ctx.call_activity("book", input="another")
    yield ctx.create_timer(timedelta(seconds=5))


def another_name(ctx: Any, start: Any) -> Any:
    yield ctx.call_activity("reserve", input=start)


def another_kind(ctx: Any, start: Any) -> Any:
    yield ctx.create_timer(timedelta(seconds=5))


def another_time(ctx: Any, start: Any) -> Any:
    yield ctx.call_activity("book", input=start)
    yield ctx.create_timer(timedelta(seconds=6))


def one_more(ctx: Any, start: Any) -> Any:
    ctx.call_activity("notify", input=start)
    yield ctx.call_activity("book", input=start)


def an_earlier_end(ctx: Any, start: Any) -> Any:
    yield ctx.call_activity("book", input=start)
    return "done"


def worker_of(workflow: Any) -> Worker:
    worker = Worker()
    worker.register_workflow(lambda ctx, start: workflow(ctx, start), "trip")
    return worker


@pytest.fixture
def recording() -> Recording:
    """Two turns: the activity was asked for and answered, and the timer was set."""
    worker = worker_of(original)
    first = [turn_began(START), workflow_began("trip", "1", '"ada"')]
    (book,) = worker.turn("1", [], first)
    old = [*first, recorded(book)]
    second = [turn_began(START + timedelta(seconds=1)), activity_ended(1, '"booked"')]
    (timer,) = worker.turn("1", old, second)
    return Recording("trips", "1", (*old, *second, recorded(timer)))


def test_code_that_has_not_changed_takes_every_turn_again(recording: Recording) -> None:
    assert differences(recording, worker_of(original)) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (another_input, r'turn 1:.* call book\("ada"\).* call book\("another"\)'),
        (another_name, r'turn 1:.* call book\("ada"\).* call reserve\("ada"\)'),
        (another_kind, r'turn 1:.* call book\("ada"\).* set a timer'),
        (another_time, "turn 2:.* set a timer for .*00:00:06.*00:00:07"),
        (one_more, r'turn 1:.* call book\("ada"\).* call notify\("ada"\)'),
        (an_earlier_end, 'turn 2:.* set a timer .* end as COMPLETED with "done"'),
    ],
)
def test_a_change_that_breaks_a_running_instance_is_named(
    recording: Recording, changed: Any, message: str
) -> None:
    (line,) = differences(recording, worker_of(changed))
    assert re.search(message, line, re.DOTALL), line


def test_a_recording_can_be_kept_in_a_file(recording: Recording) -> None:
    assert load(dump([recording])) == [recording]
