"""Participants of any saga, made from its declaration: each does, refuses and undoes its steps.

They react to events as the declaration says, so the saga runs in each style before anybody has
written a participant.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from chassis.composing import Ports
from chassis.errors import Undone
from chassis.handlers import Handlers, returns
from chassis.messages import Message, name_of
from chassis.saga import wiring
from chassis.saga.declaration import Saga, Stage, Step
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.transaction import Transaction
from testkit.simulation.sagas.examples import example
from testkit.simulation.workspace import Composition

Run = Callable[[Any, Transaction], Awaitable[Message]]


@dataclass
class Script:
    """Which step is refused, by the id of the process. Without an entry, none is."""

    refused: dict[str, str] = field(default_factory=dict)


def participants(saga: Saga, script: Script) -> list[Composition]:
    return [_composition(saga, app_id, script) for app_id in sorted({s.at for s in saga.steps})]


def _composition(saga: Saga, app_id: str, script: Script) -> Composition:
    def compose(ports: Ports) -> Service:
        service = Service(ServiceSettings(app_id=app_id), title=app_id, ports=ports)
        own = [step for step in saga.steps if step.at == app_id]
        commands, run = Handlers(), {}
        for step in own:
            replies = (step.done,) if step.refused is None else (step.done, step.refused)
            do = returns(*replies)(_doing(step, script))
            run[step.command] = commands.on(step.command)(do)
            if step.undo is not None and step.undone is not None:
                undo = returns(step.undone)(_undoing(step.undone))
                run[step.undo] = commands.on(step.undo, undoes=step.command)(undo)
        service.answer(commands)
        service.obey(commands)
        service.subscribe(_reactions(saga, own, run))
        return service

    return compose


def _doing(step: Step, script: Script) -> Run:
    async def do(command: Message, tx: Transaction) -> Message:
        refused = script.refused.get(command.subject) == step.name
        reply = step.refused if refused and step.refused is not None else step.done
        return example(reply, known=command.model_dump(mode="json"))

    return do


def _undoing(undone: type[Message]) -> Run:
    async def undo(command: Message, tx: Transaction) -> Message:
        return example(undone, known=command.model_dump(mode="json"))

    return undo


@dataclass(frozen=True)
class Reaction:
    """A command, and whether the events that have come by now lead to it."""

    command: type[Message]
    replies: tuple[type[Message], ...]
    leads: Callable[[frozenset[str]], bool]


def _reactions(saga: Saga, own: Iterable[Step], run: Mapping[type[Message], Any]) -> Handlers:
    wanted = [reaction for step in own for reaction in _of(saga, step)]
    pairs = frozenset().union(*wiring.reactions(saga).values())
    events = Handlers()
    for event in (saga.started_by, *saga.replies):
        led_to = [each for each in wanted if (name_of(event), each.command.__name__) in pairs]
        if led_to:
            outcomes = [reply for each in led_to for reply in each.replies]
            events.on(event)(returns(*outcomes)(_reacting(led_to, run)))
    return events


def _of(saga: Saga, step: Step) -> Iterable[Reaction]:
    number = saga.stage_of(step)
    before: Stage | None = saga.stages[number - 1] if number else None
    after = saga.stages[number + 1] if number + 1 < len(saga.stages) else ()

    def begins(known: frozenset[str]) -> bool:
        if before is None:
            return name_of(saga.started_by) in known
        return all(name_of(each.done) in known for each in before)

    def is_undone(known: frozenset[str]) -> bool:
        beside = any(_is_refused(each, known) for each in saga.stages[number] if each is not step)
        return beside or (bool(after) and all(_is_settled(each, known) for each in after))

    yield Reaction(step.command, tuple(filter(None, (step.done, step.refused))), begins)
    if step.undo is not None:
        yield Reaction(step.undo, tuple(filter(None, (step.undone,))), is_undone)


def _is_refused(step: Step, known: frozenset[str]) -> bool:
    return step.refused is not None and name_of(step.refused) in known


def _is_settled(step: Step, known: frozenset[str]) -> bool:
    undone = step.undone is not None and name_of(step.undone) in known
    return undone or _is_refused(step, known)


def _reacting(led_to: list[Reaction], run: Mapping[type[Message], Any]) -> Any:
    async def react(event: Message, tx: Transaction) -> list[Message]:
        key = f"seen:{event.subject}"
        before = frozenset(await tx.get(key, list[str]) or [])
        known = before | {name_of(type(event))}
        tx.put(key, sorted(known))
        replies = []
        for each in led_to:
            if each.leads(known) and not each.leads(before):
                command = example(each.command, known=event.model_dump(mode="json"))
                # What was undone before it was to be done stays undone, and nobody waits for it.
                with suppress(Undone):
                    replies.append(await run[each.command](command, tx))
        return replies

    return react
