"""A member in another language, composed of its member.toml: what its code does, to be looked at.

So scopes, the check of the wiring and all else that reads the services read it as one of them.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar

from pydantic import BaseModel

import contracts
from chassis import Handlers, Service, ServiceSettings, Transaction, topic_of
from chassis.handlers import returns
from chassis.messages import Message
from workspace.memberfile import MemberFile


def compose(app_id: str, file: MemberFile) -> Service:
    service = Service(ServiceSettings(app_id=app_id), title=app_id)
    events: dict[str, tuple[str, ...]] = {topic: () for topic in file.subscribes}
    service.subscribe(_handlers(events | file.reacts, {}))
    commands = _handlers(file.answers, file.undoes)
    service.answer(commands)
    service.consume(commands)
    service.publishes(*(one for topic in file.publishes for one in _messages(topic)))
    return service


def _handlers(outcomes: Mapping[str, Iterable[str]], undoes: Mapping[str, str]) -> Handlers:
    handlers = Handlers()
    for topic, answers in outcomes.items():
        messages = [message for answer in answers for message in _messages(answer)]
        undone = _messages(undoes[topic])[0] if topic in undoes else None
        handlers.on(*_messages(topic), undoes=undone)(returns(*messages)(_elsewhere))
    return handlers


@cache
def _messages(topic: str) -> tuple[type[Message], ...]:
    """All versions in the contracts, or one that only has the topic: nobody in Python reads it."""
    found = tuple(one for one in contracts.messages() if topic_of(one) == topic)
    stated = {"topic": topic, "__annotations__": {"topic": ClassVar[str]}, "__module__": __name__}
    return found or (type(topic, (_Unread,), stated),)


class _Unread(BaseModel):
    version: ClassVar[int] = 1

    @property
    def subject(self) -> str:
        return ""


async def _elsewhere(message: Any, tx: Transaction) -> None:
    raise RuntimeError("this handler runs in another language")
