"""Recorded histories of workflows, replayed strictly against the code as it is now.

The SDK's own check misses a changed input, a changed timer, and code that ends earlier than its
history. Here each turn is taken again, and all that it asks for must be what the history holds:
kind, order, name, input, time and child id. Code that fails this breaks instances in flight.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from testkit.simulation import sdk
from testkit.simulation.engine import SimulatedEngine
from testkit.simulation.sdk import Action, HistoryEvent, Worker


@dataclass(frozen=True, slots=True)
class Recording:
    app_id: str
    instance_id: str
    events: tuple[HistoryEvent, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    old: Sequence[HistoryEvent]
    news: Sequence[HistoryEvent]
    asked: Sequence[Action]


def recordings(engine: SimulatedEngine) -> list[Recording]:
    """What the engine holds of each workflow, ended or not, whose turns differ."""
    return [
        Recording(instance.app_id, instance.id, tuple(instance.history))
        for instance in engine.instances.values()
        if not instance.is_mixed_up
    ]


def differences(recording: Recording, worker: Worker) -> list[str]:
    """At most one line: after the first difference, nothing is comparable."""
    for number, turn in enumerate(_turns(recording.events)):
        now = worker.turn(recording.instance_id, turn.old, turn.news)
        for recorded, asked in zip_longest(turn.asked, map(_comparable, now)):
            if recorded != asked:
                return [
                    f"workflow {recording.instance_id}, turn {number + 1}:\n"
                    f"  its history has:     {recorded or 'nothing more'}\n"
                    f"  the code now asks to {asked or 'do no more'}"
                ]
    return []


def steps(recording: Recording) -> tuple[str, ...]:
    """The names of what it asked for, less its timers, and how it ended."""
    asked = [action for event in recording.events if (action := sdk.asked_for(event))]
    return tuple(name for action in asked if (name := action.name or action.status))


def dump(recordings: Iterable[Recording]) -> str:
    """As text that a person can read, and that `load` takes back."""
    return json.dumps(
        [
            {
                "app_id": each.app_id,
                "instance_id": each.instance_id,
                "events": [_without_traces(sdk.to_json(event)) for event in each.events],
            }
            for each in recordings
        ],
        indent=1,
    )


def _without_traces(value: Any) -> Any:
    """A stack trace tells where a machine had the code, and nothing of the workflow."""
    if isinstance(value, dict):
        return {name: _without_traces(each) for name, each in value.items() if name != "stackTrace"}
    return [_without_traces(each) for each in value] if isinstance(value, list) else value


def load(text: str) -> list[Recording]:
    return [
        Recording(each["app_id"], each["instance_id"], tuple(map(sdk.from_json, each["events"])))
        for each in json.loads(text)
    ]


def _turns(events: Sequence[HistoryEvent]) -> Iterator[Turn]:
    starts = [position for position, event in enumerate(events) if sdk.begins_turn(event)]
    for start, end in zip_longest(starts, starts[1:]):
        within = events[start:end]
        asked = [action for event in within if (action := sdk.asked_for(event))]
        news = [event for event in within if sdk.asked_for(event) is None]
        yield Turn(events[:start], news, [_comparable(action) for action in asked])


def _comparable(action: Action) -> Action:
    """Less what a history does not hold: how a failure is worded, and events that go on."""
    return replace(action, error="", error_type="", carried_over=())
