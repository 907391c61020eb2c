"""Participants of any saga, made from its declaration: each does, refuses and undoes its steps.

They react to events as the declaration says, so the saga runs in each style before anybody has
written a participant.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from chassis.composing import Ports
from chassis.errors import Rejected, Undone
from chassis.handlers import Handlers, returns
from chassis.messages import Message, name_of
from chassis.saga import wiring
from chassis.saga.declaration import Saga, Stage, Step
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.transaction import Transaction
from testkit.sagas import example

Run = Callable[[Any, Transaction], Awaitable[Message]]

#: So many contents a reply has: what a handler says differs from one attempt to the next.
CONTENTS = 7


@dataclass
class Script:
    """What the participants of one run say. Without an entry, every command is done."""

    #: By the id of the process: the steps that are refused, each with its own event.
    refused: dict[str, Set[str]] = field(default_factory=dict)
    #: By the id of the process and the name of a command: how often it gets a `CommandRefused`.
    rejected: dict[tuple[str, str], int] = field(default_factory=dict)
    _asked: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _replies: int = 0

    def clear(self) -> None:
        self.refused.clear()
        self.rejected.clear()
        self._asked.clear()
        self._replies = 0

    def refuses(self, step: Step, command: Message) -> bool:
        """Whether the participant says, with the event of the step, that it will not."""
        return step.name in self.refused.get(command.subject, ())

    def require_not_rejected(self, command: Message, id: str) -> None:
        """Raises `Rejected`. The same id gets the same answer, however often its handler runs."""
        key = command.subject, type(command).__name__
        asked = self._asked.setdefault(key, [])
        if id not in asked:
            asked.append(id)
        if asked.index(id) < self.rejected.get(key, 0):
            raise Rejected("not now")

    def reply(self, reply: type[Message], command: Message) -> Message:
        """With what the command says of it, and other contents each time."""
        self._replies += 1
        return example(reply, self._replies % CONTENTS, known=command.model_dump(mode="json"))


@dataclass(frozen=True)
class Reaction:
    """A command, and whether the events that have come by now lead to it."""

    command: type[Message]
    replies: tuple[type[Message], ...]
    leads: Callable[[frozenset[str]], bool]


class Participant:
    """The service with this app id. A negative control overrides what it does wrong."""

    def __init__(self, saga: Saga, app_id: str, script: Script) -> None:
        self.saga, self.app_id, self.script = saga, app_id, script
        self.steps = [step for step in saga.steps if step.at == app_id]

    def compose(self, ports: Ports | None = None) -> Service:
        service = Service(ServiceSettings(app_id=self.app_id), title=self.app_id, ports=ports)
        commands = Handlers()
        run = {
            command: handler
            for step in self.steps
            for command, handler in self.handle(commands, step).items()
        }
        service.answer(commands)
        service.consume(commands)
        service.subscribe(_reactions(self.saga, self.steps, run))
        return service

    def handle(self, commands: Handlers, step: Step) -> Mapping[type[Message], Any]:
        """Register the handlers of a step, and return them by their commands."""
        replies = (step.done,) if step.refused is None else (step.done, step.refused)
        run = {step.command: commands.on(step.command)(returns(*replies)(self.doing(step)))}
        if step.undo is not None and step.undone is not None:
            undo = returns(step.undone)(self.undoing(step.undone))
            run[step.undo] = commands.on(step.undo, undoes=step.command)(undo)
        return run

    def doing(self, step: Step) -> Run:
        async def do(command: Message, tx: Transaction) -> Message:
            self.script.require_not_rejected(command, tx.cause.id)
            if step.refused is not None and self.script.refuses(step, command):
                return self.script.reply(step.refused, command)
            return self.script.reply(step.done, command)

        return do

    def undoing(self, undone: type[Message]) -> Run:
        async def undo(command: Message, tx: Transaction) -> Message:
            self.script.require_not_rejected(command, tx.cause.id)
            return self.script.reply(undone, command)

        return undo


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
        due = [each for each in led_to if each.leads(known) and not each.leads(before)]
        replies = []
        for each in due:
            command = example(each.command, known=event.model_dump(mode="json"))
            # What was undone before it was to be done is refused: the chassis ends such a
            # reaction, unless it has something else to do.
            with suppress(Undone) if len(due) > 1 else nullcontext():
                replies.append(await run[each.command](command, tx))
        return replies

    return react
