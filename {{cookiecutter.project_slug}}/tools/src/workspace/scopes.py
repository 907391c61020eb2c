"""Broker and store admit just the services of dapr.yaml, and each of them just its own topics.

What the code says is written into components/, below a marker in each file.
"""

import logging
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from textwrap import wrap

from chassis import Service, topic_of
from workspace.daprfile import ROOT, DaprFile
from workspace.errors import StackError

MARKER = "# `make scopes` writes what follows, from the handlers of the services of dapr.yaml."
WIDTH = 88

Topics = Mapping[str, frozenset[str]]


def files() -> list[Path]:
    return sorted((ROOT / "components").glob("*/*/*.yaml"))


def content(file: Path) -> str:
    """What the file must hold; what stands above the marker is the user's."""
    written = file.read_text().split(f"{MARKER}\n")[0].rstrip(" ")
    services = service_names()
    lines = [*_topics(services)] if file.name == "pubsub.yaml" else [MARKER]
    return written + "\n".join([*lines, f"scopes: [{', '.join(services)}]", ""])


def service_names() -> list[str]:
    return list(DaprFile().apps)


def heard(services: list[str]) -> Topics:
    """The topics that each service subscribes to."""
    return {name: service(name).subscriptions.heard for name in services}


def told(services: list[str]) -> Topics:
    """The topics that each service publishes to."""
    members = {name: service(name) for name in services}
    published = {name: frozenset(map(topic_of, each.published)) for name, each in members.items()}
    topics: dict[str, frozenset[str]] = {}
    for name, each in members.items():
        subscriptions = each.subscriptions
        # Its replies go to each service that sends it commands.
        replies = (
            asking.subscriptions.replies
            for asking in members.values()
            if published[asking.settings.app_id] & subscriptions.commands
        )
        topics[name] = subscriptions.told.union(published[name], *replies)
    return topics


def service(name: str) -> Service:
    """Raises `StackError` if it is not installed. An error in its code is its own."""
    package = name.replace("-", "_")
    if find_spec(package) is None:
        raise StackError(
            f"dapr.yaml names {name}, and its package {package} is not installed: name {name} in "
            "pyproject.toml, under dependencies and tool.uv.sources, and run `make setup`; "
            "or take it out of dapr.yaml."
        )
    found: Service = import_module(f"{package}.main").compose()
    return found


def _topics(services: list[str]) -> Iterator[str]:
    hears, tells = heard(services), told(services)
    # Protected: a service that the two lists below forget may use no topic, rather than all.
    everything = frozenset().union(*hears.values(), *tells.values())
    yield f"    {MARKER}"
    yield from _entry("protectedTopics", [", ".join(sorted(everything))])
    for name, topics in (("subscriptionScopes", hears), ("publishingScopes", tells)):
        scopes = [f"{service}={', '.join(sorted(topics[service]))};" for service in services]
        yield from _entry(name, scopes)


def _entry(name: str, values: list[str]) -> Iterator[str]:
    yield f"    - name: {name}"
    yield "      value: >-"
    for value in values:
        for line in wrap(value, WIDTH, break_on_hyphens=False, break_long_words=False):
            yield f"        {line}"


def derive() -> list[Path]:
    """Write what is missing. The files that changed."""
    # Four services in one process complain about it; nothing here runs them.
    logging.disable()
    wanted = {file: content(file) for file in files()}
    changed = [file for file, text in wanted.items() if text != file.read_text()]
    for file in changed:
        file.write_text(wanted[file])
    return changed
