"""Where a fault is made: the system, the processes that run, and what was counted."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from chassis.saga import Style
from testkit.faults.alterations import MARK
from testkit.faults.parts import START_SECONDS, STOP_SECONDS, Part, Parts
from testkit.faults.streams import Streams
from testkit.live.declared import Declared
from testkit.live.load import Load
from testkit.live.waiting import Overdue, until
from workspace import ports, processes

#: An altered process that is to die at its nth message; far fewer seconds are needed.
DIES_WITHIN_SECONDS = 60
#: Rules may refuse most processes before they reach it: then more are begun, so often.
MORE_SECONDS = 8


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
    declared: Declared
    load: Load
    style: Style
    random: Random
    injected: int = 0
    #: Dead letters that this fault must lead to; any other number is a violation.
    poisons: int = 0
    #: What the fault itself saw that must not be.
    wrong: list[str] = field(default_factory=list)

    async def processes_run(self, part: float = 0.3) -> None:
        """Begin all of them; returns once this part is accepted."""
        self.load.begin()
        await self.load.accepted(max(1, round(part * len(self.load.plans))))

    @property
    def initiator(self) -> str:
        return self.declared.initiator

    @property
    def participants(self) -> tuple[str, ...]:
        """That this command can kill: an initiator may do steps of its own saga, too."""
        return tuple(each for each in self.declared.participants if each != self.initiator)

    def nth(self, most: int) -> int:
        """At which of its messages a service dies: of few processes, few come to each service."""
        return self.random.randint(1, max(1, min(most, len(self.load.plans) // 8)))

    async def crash(self, *crashes: "Crash", part: float = 1.0) -> None:
        """Let each service die where it says, while this part of the processes begins.

        Each starts again as it was as soon as it has died.
        """
        async with AsyncExitStack() as armed:
            for crash in crashes:
                await armed.enter_async_context(
                    self.altered(crash.service, crash.at, nth=crash.nth, topics=crash.topics)
                )
            self.load.begin(part)
            more = asyncio.create_task(self._more())
            try:
                await asyncio.gather(*(self._back_again(crash) for crash in crashes))
            finally:
                more.cancel()

    async def _more(self) -> None:
        while True:
            await asyncio.sleep(MORE_SECONDS)
            self.load.more()

    async def _back_again(self, crash: Crash) -> None:
        app = self.parts.apps[crash.service]
        try:
            await app.died(DIES_WITHIN_SECONDS)
        except Overdue as overdue:
            raise Overdue(
                f"{crash.service} was not killed: it did not {crash.at.removeprefix('kill-')} "
                f"{' or '.join(crash.topics) or 'a message'} {crash.nth} times in "
                f"{DIES_WITHIN_SECONDS} s of {len(self.load.plans)} processes; begin others, "
                "by a door in tests/plans.py"
            ) from overdue
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
        environment: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Part]:
        """The service, served by `testkit.faults.launcher`; afterwards it is as it was."""
        app = self.parts.apps[service]
        python, _, *uvicorn = app.command
        launcher = [python, "-m", "testkit.faults.launcher", *alterations]
        options = [f"--nth={nth}", f"--topics={','.join(topics)}", f"--seconds={seconds}"]
        async with changed(app, [*launcher, *options, "--", *uvicorn], environment):
            altered = app.log
            try:
                yield app
            finally:
                if app.log == altered:
                    self.injected += marks(app)

    @asynccontextmanager
    async def proxy(self, name: str, port: int, share: float, *refusals: str) -> AsyncIterator[int]:
        """A proxy to this port that answers a share of the requests itself. Yields its own port.

        `refusals` are those of `testkit.faults.proxy`.
        """
        own = _free_port()
        options = [f"--listen={own}", f"--to={port}", f"--share={share}"]
        name = f"proxy-of-{name}-{own}"
        process = processes.start(
            name,
            [sys.executable, "-m", "testkit.faults.proxy", *options, *refusals],
            dict(os.environ),
        )

        async def listens() -> bool:
            processes.require_alive(name, process)
            return ports.answers(own)

        try:
            await until(f"{name}: ready", listens, START_SECONDS)
            yield own
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, STOP_SECONDS)
            self.injected += _marks(processes.LOGS / f"{name}.log")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    return 0 if part.log is None else _marks(part.log)


def _marks(log: Path) -> int:
    lines = log.read_text(errors="replace").splitlines()
    return sum(line.startswith(MARK) for line in lines)
