"""The members of the workspace: what dapr.yaml and their code say of each service.

To read the code loads all services, so only commands that need it import this module.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module

from chassis import Service, topic_of
from workspace import foreign, memberfile
from workspace.daprfile import App, DaprFile, package_of
from workspace.errors import StackError
from workspace.memberfile import MemberFile

#: How the topics of replies to commands end.
REPLIES = "-replies"


@dataclass(frozen=True)
class Member:
    """A service of dapr.yaml, and the topics that it needs."""

    app: App
    subscribes: frozenset[str]
    publishes: frozenset[str]
    #: The topics of commands that it takes, and of the replies to those that it sends.
    takes: frozenset[str]
    replies: frozenset[str]
    #: Whether it gives commands by service invocation.
    invokes: bool
    #: Of a member in another language.
    file: MemberFile | None = None

    @property
    def app_id(self) -> str:
        return self.app.app_id

    @property
    def dead_letters(self) -> str:
        """The topic of what its sidecar gives up on."""
        return f"{self.app_id}-dead-letters"


def names() -> list[str]:
    return list(DaprFile().apps)


def in_python() -> list[str]:
    return [name for name in names() if memberfile.of(name) is None]


def members(file: DaprFile) -> list[Member]:
    """In the order of dapr.yaml. Raises `StackError` for one that is not installed."""
    # Several services in one process complain about it; nothing here runs them.
    logging.disable()
    try:
        found = [_member(app, service(app.app_id)) for app in file.apps.values()]
    finally:
        logging.disable(logging.NOTSET)
    for each in found:
        _require_replies(each, found)
    return [replace(each, publishes=each.publishes.union(*_asked(each, found))) for each in found]


def run_sagas(file: DaprFile) -> bool:
    """Whether any of them does. Raises `StackError` for one that is not installed."""
    logging.disable()
    try:
        return any(service(app_id).sagas.runners for app_id in file.apps)
    finally:
        logging.disable(logging.NOTSET)


def services() -> Iterator[Service]:
    """All, composed; one in another language as its member.toml says."""
    return map(service, names())


def service(name: str) -> Service:
    """Raises `StackError` if it is not known. An error in its code is its own."""
    memberfile.require_known(name)
    file = memberfile.of(name)
    if file is not None:
        return foreign.compose(name, file)
    found: Service = import_module(f"{package_of(name)}.main").compose()
    return found


def _member(app: App, service: Service) -> Member:
    file, subscriptions = memberfile.of(app.app_id), service.subscriptions
    replies = subscriptions.replies
    if file is not None:
        # No saga is declared there: what says that a topic is of replies is its name.
        replies |= {topic for topic in file.subscribes if topic.endswith(REPLIES)}
    return Member(
        app=app,
        subscribes=subscriptions.subscribed,
        publishes=subscriptions.published.union(map(topic_of, service.published)),
        takes=subscriptions.commands,
        replies=replies,
        invokes=service.hosts_workflows or (file is not None and file.invokes),
        file=file,
    )


def _require_replies(member: Member, members: list[Member]) -> None:
    """Raises `StackError` for one in another language that sends commands and reads no reply."""
    sent = {topic for other in members for topic in member.publishes & other.takes}
    if member.file is not None and sent and not member.replies:
        raise StackError(
            f"services/{member.app_id}/{memberfile.NAME} publishes {sorted(sent)[0]}, a command, "
            f"and subscribes to no replies: name a topic that ends in {REPLIES} under subscribes, "
            "and give it to each command as its replyto (docs/members.md)."
        )


def _asked(member: Member, members: list[Member]) -> Iterator[frozenset[str]]:
    """The topics of replies of each member that sends this one commands."""
    return (other.replies for other in members if other.publishes & member.takes)
