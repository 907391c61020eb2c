"""Whether the services do what a saga declares: read from their handlers, before anything runs.

Choreography's reactions stand in the participants, written by hand. The declaration says which
event leads to which command, so a reaction to another event is named here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import unwrap
from typing import Protocol

from chassis.handlers import Handlers
from chassis.handlers import Step as Handled
from chassis.messages import Message, name_of, topic_of
from chassis.saga.declaration import Saga, Stage, Step
from chassis.saga.progress import answers
from chassis.saga.sagas import Sagas
from chassis.saga.styles import Style
from chassis.settings import ServiceSettings

#: How a participant takes the commands of a style. In choreography nobody sends any.
CALLS = {Style.ORCHESTRATION: "answer", Style.HYBRID: "consume"}

#: An event, and the command that a participant carries out when it comes, by their names.
Reaction = tuple[str, str]


class Member(Protocol):
    """The part of `chassis.Service` that says what it handles."""

    settings: ServiceSettings
    sagas: Sagas
    reactions: list[Handled]
    answered: list[Handlers]
    consumed: list[Handlers]


def problems(services: Iterable[Member]) -> list[str]:
    """One line for each step, of any saga of these services, that somebody does not carry out."""
    members = {service.settings.app_id: service for service in services}
    wrong: list[str] = []
    for app_id, service in members.items():
        wrong += _unwritten(app_id, service.reactions)
        for runner in service.sagas.runners:
            wrong += _unanswered(runner.saga, runner.style, members)
            if runner.style is Style.CHOREOGRAPHY:
                wrong += _miswired(runner.saga, members)
    return list(dict.fromkeys(wrong))


def reactions(saga: Saga) -> Mapping[str, frozenset[Reaction]]:
    """What each participant of a choreography has to react to, by its app id."""
    wanted: dict[str, set[Reaction]] = {step.at: set() for step in saga.steps}
    for number, stage in enumerate(saga.stages):
        before = [step.done for step in saga.stages[number - 1]] if number else [saga.started_by]
        for step in stage:
            wanted[step.at] |= {(name_of(event), step.name) for event in before}
    for step, events in _undoing(saga).items():
        if step.undo is not None:
            wanted[step.at] |= {(name_of(event), step.undo.__name__) for event in events}
    return {app_id: frozenset(pairs) for app_id, pairs in wanted.items()}


def _undoing(saga: Saga) -> Mapping[Step, Sequence[type[Message]]]:
    """The events on which each step is undone: none, if nothing after or beside it can fail."""
    undoing: dict[Step, list[type[Message]]] = {}
    after: Stage = ()
    for stage in reversed(saga.stages):
        undone = [other.undone for other in after if undoing[other]]
        refused = [other.refused for other in after]
        for step in stage:
            beside = [other.refused for other in stage if other is not step]
            undoing[step] = [event for event in (*refused, *undone, *beside) if event is not None]
        after = stage
    return undoing


def _miswired(saga: Saga, members: Mapping[str, Member]) -> Iterator[str]:
    wanted = reactions(saga)
    for app_id, service in members.items():
        found = frozenset(_reactions_of(saga, service.reactions))
        for event, command in sorted(wanted.get(app_id, frozenset()) - found):
            yield f"{app_id} does not react to {event} with {command}, which {saga.name} needs"
        for event, command in sorted(found - wanted.get(app_id, frozenset())):
            yield f"{app_id} reacts to {event} with {command}, which {saga.name} does not declare"


def _unwritten(app_id: str, handled: Iterable[Handled]) -> Iterator[str]:
    """What `workspace new-service` leaves for a human to write."""
    for each in handled:
        code = getattr(unwrap(each.handler), "__code__", None)
        if code is not None and NotImplementedError.__name__ in code.co_names:
            yield f"{app_id}: {code.co_name} is not written yet: it raises NotImplementedError"


def _reactions_of(saga: Saga, handled: Iterable[Handled]) -> Iterator[Reaction]:
    events = {name_of(event) for event in (saga.started_by, *saga.replies)}
    for each in handled:
        outcomes = {name_of(outcome) for outcome in each.outcomes}
        for message in each.messages.values():
            if name_of(message) in events:
                for command, step in saga.commands.items():
                    if outcomes & answers(step, command):
                        yield name_of(message), command.__name__


def _unanswered(saga: Saga, style: Style, members: Mapping[str, Member]) -> Iterator[str]:
    for command, step in saga.commands.items():
        service = members.get(step.at)
        if service is None:
            yield f"{step.name} of {saga.name} is at {step.at}, and there is no such service"
            continue
        ways = {Style.ORCHESTRATION: service.answered, Style.HYBRID: service.consumed}
        known = [*service.answered, *service.consumed]
        handlers = [each for each in ways.get(style, known) if topic_of(command) in each]
        if not handlers and style in CALLS:
            yield (
                f"{step.at} has no handler for {command.__name__}, which {saga.name} as {style} "
                f"asks it for: service.{CALLS[style]}(commands) in its main.py"
            )
        for each in handlers:
            outcomes = {name_of(outcome) for outcome in each[topic_of(command)].outcomes}
            for answer in sorted(answers(step, command) ^ outcomes):
                side = "never answers" if answer not in outcomes else "also answers"
                yield f"{step.at} {side} {command.__name__} with {answer}: see its declaration"
            if command is step.undo and not each.undoes(step.undo, step.command):
                yield (
                    f"{step.at} has no barrier between {step.name} and {command.__name__}: "
                    f"commands.on({command.__name__}, undoes={step.name})"
                )
