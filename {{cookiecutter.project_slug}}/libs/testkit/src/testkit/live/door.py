"""How processes of a saga are begun in a workspace that runs.

Without a line of the user, from examples of the message that starts them. `DOORS` of
`tests/plans.py` names, by saga, a class that knows more: it goes through the service's API, has
plans that fail at each step, and says what else must hold.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from random import Random
from typing import Protocol

from pydantic import ValidationError

from chassis.errors import Unavailable
from chassis.messages import Message
from chassis.saga import Progress, Style
from testkit.live import initiator
from testkit.live.declared import Declared
from testkit.sagas import example
from workspace.daprfile import App
from workspace.errors import StackError

THEIRS = "tests.plans"
#: A process in this many contents.
SEEDS = 10**9


class Away(StackError):
    """What is asked does not answer, or refuses for now: it may be asked again."""


class Plan(Protocol):
    @property
    def key(self) -> str:
        """Begun under the same key, it is the same process."""


@dataclass(frozen=True)
class Started:
    """A process that is begun by its message."""

    key: str
    style: Style
    message: Message


class Door:
    """Begins processes and looks at them; `async with` starts and stops it."""

    def __init__(self, declared: Declared, apps: Mapping[str, App]) -> None:
        self.declared = declared
        self.apps = apps

    async def __aenter__(self) -> "Door":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def prepare(self, run: str, count: int) -> None:
        """What the plans of a run need before the first is begun. May be repeated."""

    def plans(self, run: str, style: Style, count: int) -> Sequence[Plan]:
        """`run`: a name that no other run has."""
        raise NotImplementedError

    async def begin(self, plan: Plan) -> str:
        """The id of its process, once it is accepted. Raises `Away`."""
        raise NotImplementedError

    async def look(self, id: str) -> Progress | None:
        """How far the process is; None: it is not known, or nobody says."""
        raise NotImplementedError

    async def violations(self, run: str, plans: Mapping[str, Plan]) -> Sequence[str]:
        """What else does not hold of these, which were accepted, by id. Raises `Away`."""
        return ()


class Examples(Door):
    """Made up from the class of the message that starts a process.

    The initiator begins them, composed here beside its running sidecar: its API is the user's.
    """

    def __init__(self, declared: Declared, apps: Mapping[str, App]) -> None:
        super().__init__(declared, apps)
        self._service = initiator.compose(apps[declared.initiator])
        self._running = AsyncExitStack()

    async def __aenter__(self) -> "Examples":
        await self._running.enter_async_context(initiator.running(self._service))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    async def look(self, id: str) -> Progress | None:
        try:
            return await self._service.sagas.progress(self.declared.saga, id)
        except (Unavailable, TimeoutError):
            return None

    def plans(self, run: str, style: Style, count: int) -> Sequence[Started]:
        random = Random(f"{run} {style}")
        started_by = self.declared.saga.started_by
        messages = [_start(started_by, each, random.randrange(SEEDS)) for each in range(count)]
        if len({message.subject for message in messages}) < count:
            raise StackError(
                f"examples of {started_by.__name__} have the same subject, so they are one "
                f"process: name a door of {self.declared.saga.name} in tests/plans.py"
            )
        return [Started(message.subject, style, message) for message in messages]

    async def begin(self, plan: Plan) -> str:
        assert isinstance(plan, Started)
        try:
            await self._service.sagas.begin(self.declared.saga, plan.style, plan.message)
        except (Unavailable, TimeoutError) as error:
            raise Away(f"{plan.key} was not begun: {error!r}") from error
        return plan.message.subject


def _start(started_by: type[Message], contents: int, identity: int) -> Message:
    """An example with the id of another one, so that styles do not differ in the contents."""
    one, other = (example(started_by, each) for each in (contents, identity))
    said, ids = (each.model_dump(mode="json") for each in (one, other))

    def is_of_the_id(field: str) -> bool:
        try:
            changed = started_by.model_validate({**said, field: ids[field]})
        except ValidationError:
            return False
        return changed.subject != one.subject

    own = {field: ids[field] for field in said if is_of_the_id(field)}
    return started_by.model_validate({**said, **own})


def door_of(declared: Declared, apps: Mapping[str, App]) -> Door:
    doors: Mapping[str, Callable[[Declared, Mapping[str, App]], Door]] = {}
    if find_spec(THEIRS.partition(".")[0]) is not None and find_spec(THEIRS) is not None:
        doors = import_module(THEIRS).DOORS
    return doors.get(declared.saga.name, Examples)(declared, apps)
