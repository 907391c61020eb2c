"""The processes of the running stack, so that each can be killed and started again as it was."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import aiohttp
import psutil

from devstack import ports, processes
from devstack.daprfile import DaprFile
from devstack.errors import StackError
from faults.waiting import Overdue, until

START_SECONDS = 60
STOP_SECONDS = 20
PROBE = aiohttp.ClientTimeout(total=2)


@dataclass
class Part:
    """One process: how it was started, and how to see that it is ready."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: psutil.Process
    #: A URL that answers 200, or a port that accepts connections.
    ready_at: str | int
    log: Path | None = None
    _starts: Iterator[int] = field(default_factory=lambda: count(1))

    async def kill(self) -> None:
        """SIGKILL, for it and for what it started: no time to write, to answer, to say goodbye."""
        family = [self.process]
        with suppress(psutil.NoSuchProcess):
            family += self.process.children(recursive=True)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await self.died()

    async def stop(self) -> None:
        """SIGTERM, and wait for it to end by itself. Raises `Overdue`."""
        with suppress(psutil.NoSuchProcess):
            self.process.send_signal(signal.SIGTERM)
        await self.died()

    async def died(self, seconds: float = STOP_SECONDS) -> None:
        """Raises `Overdue` if it still runs after so many seconds."""
        try:
            await asyncio.to_thread(self.process.wait, seconds)
        except psutil.TimeoutExpired:
            raise Overdue(f"{self.name} still runs after {seconds:.0f} s") from None

    def start(
        self, command: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """As it was, or changed for this once. `make down` knows it as well."""
        name = f"{self.name}-restarted-{next(self._starts)}"
        self.log = processes.LOGS / f"{name}.log"
        self.process = processes.start(
            name, command or self.command, {**self.environment, **(environment or {})}
        )

    async def ready(self) -> None:
        """Raises `Overdue`."""
        await until(f"{self.name}: ready", self.is_ready, START_SECONDS)

    async def is_ready(self) -> bool:
        if isinstance(self.ready_at, int):
            return ports.answers(self.ready_at)
        try:
            async with aiohttp.request("GET", self.ready_at, timeout=PROBE) as response:
                return response.ok
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def is_ready_or_dead(self) -> bool:
        alive = self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE
        return not alive or await self.is_ready()

    async def restart(self) -> None:
        """Start it as it was, and wait until it is ready."""
        self.start()
        await self.ready()

    @property
    def runs_as_it_was(self) -> bool:
        with suppress(psutil.NoSuchProcess):
            return self.process.is_running() and list(self.process.cmdline()) == self.command
        return False


class Parts:
    """All parts of a stack that this process has started."""

    def __init__(self, file: DaprFile) -> None:
        """Raises `StackError` if a part is not ours: what we did not start we do not kill."""
        ours = psutil.Process().children(recursive=True)
        self.apps = {
            name: _part(name, ours, _serves(f"{name}.main:app"), f"{app.url}/readyz")
            for name, app in file.apps.items()
        }
        self.sidecars = {
            name: _part(
                f"{name}-sidecar",
                ours,
                _has("daprd", "--app-id", name),
                f"http://127.0.0.1:{app.http_port}/v1.0/healthz",
            )
            for name, app in file.apps.items()
        }
        self.broker = _part("broker", ours, _has(sys.executable, "devstack.broker"), 6379)
        self.placement = _part("placement", ours, _has("placement"), file.placement)
        self.scheduler = _part("scheduler", ours, _has("scheduler"), file.scheduler)

    @property
    def all(self) -> list[Part]:
        rest = [self.broker, self.placement, self.scheduler]
        return [*rest, *self.sidecars.values(), *self.apps.values()]

    async def heal(self) -> None:
        """Start again whatever is not as it was, so that the next fault meets a whole system."""
        for part in self.all:
            if not part.runs_as_it_was:
                await part.kill()
                await part.restart()
        for part in self.all:
            await part.ready()


Matches = Callable[[list[str]], bool]


def _part(name: str, ours: Sequence[psutil.Process], matches: Matches, ready_at: str | int) -> Part:
    for process in ours:
        with suppress(psutil.NoSuchProcess):
            command = process.cmdline()
            if command and matches(command):
                return Part(name, command, process.environ(), process, ready_at)
    raise StackError(
        f"{name} was not started by this command, so it will not be killed: the fault suite needs "
        "a stack of its own, with the redis profile and the binaries of `dapr init --slim`."
    )


def _serves(app: str) -> Matches:
    return lambda command: app in command


def _has(program: str, *arguments: str) -> Matches:
    def matches(command: list[str]) -> bool:
        return Path(command[0]).name == Path(program).name and all(
            argument in command for argument in arguments
        )

    return matches
