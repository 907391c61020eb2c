"""Whether each consumer reads what may be in flight: a committed list, compared with the code.

A consumer that cannot read a message makes a dead letter of it, and a workflow that cannot read its
history fails. So a file lists, for each topic, the versions that may be in a broker, an inbox, a
dead letter, a history or the record of an API's request.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter

from chassis.handlers import Step, by_type, messages_in
from chassis.messages import Message, topic_of
from chassis.processes import ProcessAccepted
from chassis.refusal import CommandRefused
from chassis.service import Service
from chassis.workflows import input_of, output_of

Listed = Mapping[str, frozenset[int]]

#: The other way out, for each version that nobody reads.
OR_REMOVE_IT = (
    "or remove it from in_flight.toml once nothing of it can be in flight (docs/versions.md)"
)


@dataclass(frozen=True, slots=True)
class Reader:
    """A place in the code of a service, and the messages that it reads there."""

    service: str
    place: str
    messages: Mapping[str, type[Message]]


def problems(
    listed: Path | Listed, services: Iterable[Service], contracts: Iterable[type[Message]]
) -> list[str]:
    """One line for each thing that is wrong: none if all of it can be read."""
    versions = load(listed) if isinstance(listed, Path) else listed
    services = list(services)
    reading = [reader for service in services for reader in readers(service)]
    published = (message for service in services for message in publishes(service))
    read = (message for reader in reading for message in reader.messages.values())
    try:
        known = by_type(*chain(contracts, published, read))
    except ValueError as error:
        return [str(error)]
    lines = chain(
        _unlisted(known, versions),
        # The chassis has these classes, also where no service uses them.
        _without_a_class({**known, **by_type(CommandRefused, ProcessAccepted)}, versions),
        chain.from_iterable(_unread(reader, _topics(reader), versions) for reader in reading),
        chain.from_iterable(
            _unread(reader, _replied(service, services), versions)
            for service in services
            for reader in _reply_readers(service)
        ),
    )
    # A handler that takes a command in two ways is one place.
    return list(dict.fromkeys(lines))


def load(file: Path) -> Listed:
    listed: Listed = TypeAdapter(dict[str, frozenset[int]]).validate_python(
        tomllib.loads(file.read_text())
    )
    return listed


def publishes(service: Service) -> Iterator[type[Message]]:
    """Replies included."""
    yield from service.published
    yield from service.recorded.values()
    for step in service.steps:
        yield from step.outcomes
    if service.commands:
        yield CommandRefused


def readers(service: Service) -> Iterator[Reader]:
    """Everywhere that the service reads a message which somebody else, or an older self, made."""
    app_id = service.settings.app_id
    for step in service.steps:
        yield _reader(service, step)
    yield Reader(app_id, "service.records in main.py", service.recorded)
    for workflows in service.workflow_sets:
        functions = [*workflows.workflows, *workflows.activities]
        for messages in workflows.histories:
            module = functions[0].__module__ if functions else "no workflow"
            yield Reader(app_id, f"Workflows.reads in {module}", messages)
        models = [input_of(workflow, 1) for workflow in workflows.workflows]
        for activity in workflows.activities:
            models += [input_of(activity, 0), output_of(activity)]
        for model in models:
            for field, messages in _fields(model, set()):
                yield Reader(app_id, field, messages)


def _reader(service: Service, step: Step) -> Reader:
    place = f"{step.handler.__module__}.{step.handler.__qualname__}"
    return Reader(service.settings.app_id, place, step.messages)


def _reply_readers(service: Service) -> Iterator[Reader]:
    topics = service.subscriptions.replies
    return (_reader(service, step) for step in service.steps if step.topic in topics)


def _replied(asking: Service, services: Iterable[Service]) -> set[str]:
    """The topics of all that may be the reply to a command of this service."""
    asked = set(map(topic_of, asking.published))
    answering = [
        step
        for service in services
        for commands in service.commands
        for step in commands
        if step.topic in asked
    ]
    replies = {topic_of(outcome) for step in answering for outcome in step.outcomes}
    return replies | {topic_of(CommandRefused)} if answering else replies


def _topics(reader: Reader) -> set[str]:
    return set(map(topic_of, reader.messages.values()))


def _fields(model: Any, seen: set[Any]) -> Iterator[tuple[str, dict[str, type[Message]]]]:
    """The fields, and those of their models, in which a history holds messages."""
    if model in seen or not issubclass(model, BaseModel):
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        if messages := by_type(*messages_in(field.annotation)):
            yield f"{model.__module__}.{model.__qualname__}.{name}", messages
        for inner in _classes(field.annotation):
            if not hasattr(inner, "version"):
                yield from _fields(inner, seen)


def _classes(annotation: Any) -> Iterator[type[Any]]:
    for part in get_args(annotation):
        yield from _classes(part)
    if isinstance(annotation, type):
        yield annotation


def _unlisted(known: Mapping[str, type[Message]], listed: Listed) -> Iterator[str]:
    for name, message in known.items():
        topic, version = topic_of(message), message.version
        if version not in listed.get(topic, ()):
            line = f"{topic} = {sorted({*listed.get(topic, ()), version})}"
            yield (
                f"{message.__module__}.{message.__qualname__} is {name}, which in_flight.toml does "
                f"not list: write `{line}` there, or delete the class"
            )


def _without_a_class(known: Mapping[str, type[Message]], listed: Listed) -> Iterator[str]:
    for name in _types(listed, listed):
        if name not in known:
            topic, _, version = name.rpartition(".v")
            yield (
                f"{name} may be in flight, and no class has this type: give it one, with "
                f'`topic = "{topic}"` and `version = {version}`, {OR_REMOVE_IT}'
            )


def _unread(reader: Reader, topics: Iterable[str], listed: Listed) -> Iterator[str]:
    for name in _types(sorted(topics), listed):
        if name not in reader.messages:
            yield (
                f"{reader.service} cannot read {name}, which may be in flight: let {reader.place} "
                f"read it, {OR_REMOVE_IT}"
            )


def _types(topics: Iterable[str], listed: Listed) -> Iterator[str]:
    return (f"{topic}.v{each}" for topic in topics for each in sorted(listed.get(topic, ())))
