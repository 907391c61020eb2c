"""Where a fault is made: the system, the orders that flow through it, and what was counted."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from faults.alterations import MARK
from faults.load import Load
from faults.parts import START_SECONDS, Part, Parts
from faults.streams import Streams
from faults.waiting import until

#: An altered process that is to die at its nth message; far fewer seconds are needed.
DIES_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Crash:
    """A service that is to die at the nth time that it comes to a point."""

    service: str
    at: str
    nth: int = 1
    topics: tuple[str, ...] = ()


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

    async def crash(self, *crashes: "Crash", part: float = 1.0) -> None:
        """Let each service die where it says, while this part of the orders flows.

        Each starts again as it was as soon as it has died.
        """
        async with AsyncExitStack() as armed:
            for crash in crashes:
                await armed.enter_async_context(
                    self.altered(crash.service, crash.at, nth=crash.nth, topics=crash.topics)
                )
            self.load.begin(part)
            await asyncio.gather(*(self._back_again(crash.service) for crash in crashes))

    async def _back_again(self, service: str) -> None:
        app = self.parts.apps[service]
        await app.died(DIES_WITHIN_SECONDS)
        self.injected += marks(app)
        await app.restart()

    @asynccontextmanager
    async def altered(
        self,
        service: str,
        *alterations: str,
        nth: int = 1,
        topics: Sequence[str] = (),
        seconds: float = 0.0,
    ) -> AsyncIterator[Part]:
        """The service, served by `faults.launcher`; afterwards it is as it was."""
        app = self.parts.apps[service]
        python, _, *uvicorn = app.command
        launcher = [python, "-m", "faults.launcher", *alterations]
        options = [f"--nth={nth}", f"--topics={','.join(topics)}", f"--seconds={seconds}"]
        async with changed(app, [*launcher, *options, "--", *uvicorn]):
            altered = app.log
            try:
                yield app
            finally:
                if app.log == altered:
                    self.injected += marks(app)


@asynccontextmanager
async def changed(
    part: Part, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """The part, started in another way; afterwards it is as it was."""
    await part.stop()
    part.start(command, environment)
    try:
        # It may die before it is ready: what waits for it is delivered at once.
        await until(f"{part.name}: changed", part.is_ready_or_dead, START_SECONDS)
        yield
    finally:
        if not part.runs_as_it_was:
            await part.stop()
            await part.restart()


def marks(part: Part) -> int:
    if part.log is None:
        return 0
    lines = part.log.read_text(errors="replace").splitlines()
    return sum(line.startswith(MARK) for line in lines)
