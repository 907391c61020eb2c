"""Where a fault is made: the system, the orders that flow through it, and what was counted."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from faults.alterations import MARK
from faults.load import Load
from faults.parts import Part, Parts
from faults.streams import Streams

#: An altered process that is to die at its nth message; far fewer seconds are needed.
DIES_WITHIN_SECONDS = 60


@dataclass
class Scene:
    parts: Parts
    streams: Streams
    load: Load
    style: str
    random: Random
    injected: int = 0
    #: Dead letters that this fault must lead to; any other number is a violation.
    poisons: int = 0
    #: What the fault itself saw that must not be.
    wrong: list[str] = field(default_factory=list)

    async def orders_flow(self, part: float = 0.3) -> None:
        """Begin to place orders; returns once this part of them is accepted."""
        self.load.begin()
        await self.load.accepted(max(1, round(part * len(self.load.plans))))

    async def crash(
        self, service: str, alteration: str, *, nth: int = 1, topics: Sequence[str] = ()
    ) -> None:
        """Let the service die at the nth time, and start it again as it was."""
        async with self.altered(service, alteration, nth=nth, topics=topics) as app:
            self.load.begin()
            await app.died(DIES_WITHIN_SECONDS)

    @asynccontextmanager
    async def altered(
        self,
        service: str,
        alteration: str,
        *,
        nth: int = 1,
        topics: Sequence[str] = (),
        seconds: float = 0.0,
    ) -> AsyncIterator[Part]:
        """The service, served by `faults.launcher`; afterwards it is as it was."""
        app = self.parts.apps[service]
        python, _, *uvicorn = app.command
        launcher = [python, "-m", "faults.launcher", alteration]
        options = [f"--nth={nth}", f"--topics={','.join(topics)}", f"--seconds={seconds}"]
        async with changed(app, [*launcher, *options, "--", *uvicorn]):
            try:
                yield app
            finally:
                self.injected += marks(app)


@asynccontextmanager
async def changed(
    part: Part, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """The part, started in another way; afterwards it is as it was."""
    await part.stop()
    part.start(command, environment)
    await part.ready()
    try:
        yield
    finally:
        await part.stop()
        await part.restart()


def marks(part: Part) -> int:
    if part.log is None:
        return 0
    lines = part.log.read_text(errors="replace").splitlines()
    return sum(line.startswith(MARK) for line in lines)
