"""A participant: what it does at each step that the declared sagas give to it.

Each step is done once a process, whatever the style; its rule is a function of domain.py, which at
first agrees to everything.
"""

from collections.abc import Iterator, Mapping, Sequence
from string import Template

from chassis.messages import Message, name_of
from chassis.saga import Saga, Step
from chassis.saga.wiring import reactions
from workspace.newservice import common
from workspace.newservice.code import imports, lacks, make, snake, union, words

DOMAIN = '''\
"""The rules of $name. Pure: no Dapr, no FastAPI, no clock, no I/O."""

$imports
'''

REFUSED = '''

class Refused(Exception):
    """A rule says no, and why; nothing was done."""
'''

RULE = '''

def $function(command: $Command) -> $Done:
    """$may_refuse"""
    return $made
'''

STEPS = '''\
"""What $name does when it is asked, whatever the style: load, decide, put, answer."""

from dataclasses import dataclass

from chassis import Transaction
$imports
from $package import domain

'''

DO = '''

@dataclass(frozen=True, slots=True)
class $Record:
    """What was decided for one process. Neither: it was undone."""

    done: $Done | None = None
    refused: $Refused | None = None


def ${function}_key(subject: str) -> str:
    return f"$key:{subject}"


async def $function(command: $Command, tx: Transaction) -> $Replies:
    key = ${function}_key(command.subject)
    decided = await tx.get(key, $Record)
    # Idempotent by process too: what was decided for it stands.
    if decided is None:
        try:
            decided = $Record(done=domain.$function(command))
        except domain.Refused as error:
            decided = $Record(refused=$refusal)
        tx.put(key, decided)
    reply = decided.done or decided.refused
    assert reply is not None, f"{key} was undone: the barrier refuses the command"
    return reply
'''

DO_ALWAYS = """

def ${function}_key(subject: str) -> str:
    return f"$key:{subject}"


async def $function(command: $Command, tx: Transaction) -> $Done:
    key = ${function}_key(command.subject)
    done = await tx.get(key, $Done)
    # Idempotent by process too: what was done for it stands.
    if done is None:
        done = domain.$function(command)
        tx.put(key, done)
    return done
"""

UNDO_ALWAYS = """

async def $function(command: $Command, tx: Transaction) -> $Done:
    key = ${does}_key(command.subject)
    # Once: what is given back is not held any more.
    if await tx.get(key, $Undoes) is not None:
        tx.delete(key)
    return $made
"""

UNDO = """

async def $function(command: $Command, tx: Transaction) -> $Done:
    key = ${does}_key(command.subject)
    decided = await tx.get(key, $Record)
    # Once: what is given back is not held any more.
    if decided is not None and decided.done is not None:
        tx.put(key, $Record())
    return $made
"""

COMMANDS = '''\
"""Which command goes to which step, whether it comes by service invocation or over pub/sub."""

from chassis import Handlers
$imports
from $package import steps

commands = Handlers()
$lines
'''

CHOREOGRAPHY = '''\
"""Choreography: which event leads to which command."""

from chassis import Handlers, Transaction
$imports
from $package import commands

events = Handlers()
'''

REACTION = """

@events.on($events)
async def $function(event: $Event, tx: Transaction) -> $Replies:
    $body
"""

TESTS = """\
import pytest

from chassis.errors import Undone
$imports
from $package.commands import commands
from testkit import Harness
from testkit.sagas import example


@pytest.fixture
def $fixture() -> Harness:
    return Harness(commands, source="$name")
"""

TEST_DO = """

async def test_to_${function}_is_answered_alike_whatever_the_id($fixture: Harness) -> None:
    first = await $fixture.handle(example($Command), id="1")
    assert isinstance(first[0], $Replies)
    assert await $fixture.handle(example($Command), id="2") == first
"""

TEST_UNDO = """

async def test_to_${undo}_takes_it_back_and_it_is_not_done_afterwards($fixture: Harness) -> None:
    known = {"$field": example($Command).$field}
    for _ in range(2):
        (reply,) = await $fixture.handle(example($Undo, known=known))
        assert isinstance(reply, $Undone)
    with pytest.raises(Undone):
        await $fixture.handle(example($Command))
"""


def files(name: str, package: str, sagas: Sequence[Saga], field: str) -> dict[str, str]:
    """By path, below the folder of the service. `field`: the id of a process in its messages."""
    steps = [(saga, step) for saga in sagas for step in saga.steps if step.at == name]
    source = f"src/{package}"
    known = common.names(name, package) | {
        "imports": imports(_messages(steps)),
        # Not the name of the package, which a test imports from.
        "fixture": "service",
    }
    parts: dict[str, list[str]] = {
        f"{source}/domain.py": [
            DOMAIN,
            REFUSED if any(step.refused for _, step in steps) else "",
            *(_rule(step) for _, step in steps),
        ],
        f"{source}/steps.py": [STEPS, *(text for _, step in steps for text in _step(step))],
        f"{source}/commands.py": [COMMANDS],
        f"{source}/choreography.py": [
            CHOREOGRAPHY,
            *(text for saga in sagas for text in _reactions(saga, name)),
        ],
        "tests/test_commands.py": [TESTS, *(text for _, step in steps for text in _tests(step))],
    }
    lines = "\n".join(line for _, step in steps for line in _registered(step))
    known |= {"lines": lines, "field": field}
    main = {
        "imports": f"from {package} import choreography\nfrom {package}.commands import commands\n",
        "composes": "    # One line for each style.\n"
        "    service.subscribe(choreography.events)\n"
        "    service.answer(commands)\n"
        "    service.consume(commands)",
    }
    does = ", ".join(words(step.name) for _, step in steps)
    return common.files(name, package, f"{does}.", main) | {
        path: Template("".join(texts)).safe_substitute(known) for path, texts in parts.items()
    }


def _messages(steps: Sequence[tuple[Saga, Step]]) -> Iterator[type[Message]]:
    for saga, _ in steps:
        yield from (saga.started_by, *saga.commands, *saga.replies)


def _names(step: Step) -> Mapping[str, str]:
    refused = step.refused
    return {
        "function": snake(step.name),
        "key": snake(step.name).replace("_", "-"),
        "Command": step.name,
        "Record": f"{step.name}Record",
        "Done": step.done.__name__,
        "Refused": "" if refused is None else refused.__name__,
        "Replies": union(each for each in (step.done, refused) if each is not None),
        "made": make(step.done, step.command, "command"),
        "refusal": ""
        if refused is None
        else make(refused, step.command, "command", reason="str(error)"),
        "may_refuse": f"Raises `Refused`: then {refused.__name__} is the reply."
        if refused
        else "It may not refuse.",
    }


def _rule(step: Step) -> str:
    return Template(RULE).safe_substitute(_names(step))


def _step(step: Step) -> Iterator[str]:
    names = _names(step)
    yield Template(DO_ALWAYS if step.refused is None else DO).safe_substitute(names)
    if step.undo is not None and step.undone is not None:
        yield Template(UNDO_ALWAYS if step.refused is None else UNDO).safe_substitute(
            names,
            Undoes=step.done.__name__,
            function=snake(step.undo.__name__),
            does=names["function"],
            Command=step.undo.__name__,
            Done=step.undone.__name__,
            made=make(step.undone, step.undo, "command"),
        )


def _registered(step: Step) -> Iterator[str]:
    do = snake(step.name)
    yield f"{do} = commands.on({step.name})(steps.{do})"
    if step.undo is not None:
        undo = step.undo.__name__
        yield (f"{snake(undo)} = commands.on({undo}, undoes={step.name})(steps.{snake(undo)})")


def _reactions(saga: Saga, name: str) -> Iterator[str]:
    wanted = reactions(saga).get(name, frozenset())
    for command, step in saga.commands.items():
        events = [
            event
            for event in (*saga.starts, *saga.replies)
            if (name_of(event), command.__name__) in wanted
        ]
        if not events:
            continue
        replies = [step.undone] if command is step.undo else [step.done, step.refused]
        yield Template(REACTION).safe_substitute(
            events=", ".join(event.__name__ for event in events),
            function=snake(command.__name__),
            Event=union(events),
            Replies=union(each for each in replies if each is not None),
            body=_body(saga, command, step, events),
        )


def _body(saga: Saga, command: type[Message], step: Step, events: Sequence[type[Message]]) -> str:
    number = saga.stage_of(step)
    if command is step.command and number and len(saga.stages[number - 1]) > 1:
        return _to_write(f"{step.name} follows several events: note which of them have come")
    for event in events:
        for field in lacks(command, event):
            return _to_write(
                f"{command.__name__} needs {field}, which {event.__name__} does not carry: "
                "give it the field, or load it here"
            )
    function = snake(command.__name__)
    return f"return await commands.{function}({make(command, events[0], 'event')}, tx)"


def _to_write(what: str) -> str:
    return f"raise NotImplementedError({what!r})"


def _tests(step: Step) -> Iterator[str]:
    names = _names(step)
    yield Template(TEST_DO).safe_substitute(names)
    if step.undo is not None and step.undone is not None:
        yield Template(TEST_UNDO).safe_substitute(
            names,
            undo=snake(step.undo.__name__),
            Undo=step.undo.__name__,
            Undone=step.undone.__name__,
        )
