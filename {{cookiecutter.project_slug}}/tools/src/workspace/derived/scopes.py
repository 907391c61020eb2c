"""Broker and store admit just the members, and each of them just to its own topics.

Dapr wants scopes inside a component's own file, so only what stands below a marker is derived.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap

from workspace import yamlfile
from workspace.derived.file import Derived, above
from workspace.errors import StackError
from workspace.members import Member

MARKER = "# `workspace derive` writes what follows, from the code of the services of dapr.yaml."
WIDTH = 88
PROTECTED, SUBSCRIPTIONS, PUBLISHING = (
    "protectedTopics",
    "subscriptionScopes",
    "publishingScopes",
)

Topics = Mapping[str, frozenset[str]]


def derive(root: Path, members: Sequence[Member]) -> Iterator[Derived]:
    for file in sorted((root / "components").glob("*/*/*.y*ml")):
        yield Derived(file, content(file, members), "the code, or what stands above the marker,")


def content(file: Path, members: Sequence[Member]) -> str:
    """What the file must hold; what stands above the marker is the user's."""
    lists = (f"- name: {name}" for name in (PROTECTED, SUBSCRIPTIONS, PUBLISHING))
    theirs = above(file, MARKER, "scopes:", *lists)
    # What is derived ends the file, and would be of its last document alone.
    if len(yamlfile.documents(file, theirs)) > 1:
        raise StackError(
            f"{file} holds more than one YAML document, and each component has scopes of its own: "
            "give each a file."
        )
    lines = [*_topics(members)] if file.stem == "pubsub" else [MARKER]
    names = ", ".join(member.app_id for member in members)
    return theirs + "\n".join([*lines, f"scopes: [{names}]", ""])


def _topics(members: Sequence[Member]) -> Iterator[str]:
    subscribes = {member.app_id: member.subscribes for member in members}
    publishes = {member.app_id: member.publishes for member in members}
    # Protected: a member that the two lists below forget may use no topic, rather than all.
    everything = frozenset().union(*subscribes.values(), *publishes.values())
    yield f"    {MARKER}"
    yield from _entry(PROTECTED, [", ".join(sorted(everything))])
    for name, topics in ((SUBSCRIPTIONS, subscribes), (PUBLISHING, publishes)):
        scopes = [f"{app_id}={', '.join(sorted(each))};" for app_id, each in topics.items()]
        yield from _entry(name, scopes)


def _entry(name: str, values: list[str]) -> Iterator[str]:
    yield f"    - name: {name}"
    yield "      value: >-"
    for value in values:
        for line in wrap(value, WIDTH, break_on_hyphens=False, break_long_words=False):
            yield f"        {line}"
