"""The processes of the running stack, so that each can be killed and started again as it was."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import aiohttp
import psutil
from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from testkit.live.waiting import Overdue, until
from workspace import ports, processes, profiles, stack
from workspace.daprfile import DaprFile
from workspace.errors import StackError
from workspace.stack import REDIS_PORT

START_SECONDS = 60
STOP_SECONDS = 20
SUPERVISE_SECONDS = 0.5
PROBE = aiohttp.ClientTimeout(total=2)


Probe = Callable[[], Awaitable[bool]]


@dataclass
class Part:
    """One process: how it was started, and how to see that it is ready."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: psutil.Process
    is_ready: Probe
    log: Path | None = None
    #: Whoever ended it starts it again. What ends by itself is started by `Parts.supervise`.
    held: bool = False
    _starts: Iterator[int] = field(default_factory=lambda: count(1))

    async def kill(self) -> None:
        """SIGKILL, for it and for what it started: no time to write, to answer, to say goodbye."""
        self.held = True
        family = [self.process]
        with suppress(psutil.NoSuchProcess):
            family += self.process.children(recursive=True)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await self.died()

    async def stop(self) -> None:
        """SIGTERM, and wait for it to end by itself. Raises `Overdue`."""
        self.held = True
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
        self.held = False

    async def ready(self) -> None:
        """Raises `Overdue`."""
        await until(f"{self.name}: ready", self.is_ready, START_SECONDS)

    @property
    def alive(self) -> bool:
        with suppress(psutil.NoSuchProcess):
            return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE
        return False

    async def is_ready_or_dead(self) -> bool:
        return not self.alive or await self.is_ready()

    async def restart(self) -> None:
        """Start it as it was, and wait until it is ready."""
        self.start()
        await self.ready()

    @property
    def runs_as_it_was(self) -> bool:
        with suppress(psutil.NoSuchProcess):
            return (
                self.process.is_running()
                and list(self.process.cmdline()) == list(self.command)
                and self.process.environ() == dict(self.environment)
            )
        return False


class Parts:
    """The parts of a stack that this process has started."""

    def __init__(self, file: DaprFile) -> None:
        """Raises `StackError` if services are not ours, or if broker or store are others.

        What we did not start we do not kill: a broker, placement or scheduler in a container is
        left alone, and is None here.
        """
        self.file = file
        used = {profile.name for profile in profiles.in_use(file)}
        if used != {"redis", "sqlite"}:
            raise StackError(
                "the faults are made on Redis Streams and SQLite, and dapr.yaml names "
                f"{' and '.join(sorted(used))}: make use BROKER=redis STORE=sqlite"
            )
        ours = psutil.Process().children(recursive=True)
        self.apps = {
            name: _required(name, ours, _runs(app.arguments), _answers(stack.readiness(app)))
            for name, app in file.apps.items()
        }
        self.sidecars = {
            name: _required(
                f"{name}-sidecar",
                ours,
                _has("daprd", "--app-id", name),
                _answers(f"http://127.0.0.1:{app.http_port}/v1.0/healthz"),
            )
            for name, app in file.apps.items()
        }
        self.broker = _part("broker", ours, _has(sys.executable, "workspace.broker"), _pings)
        self.placement = _part("placement", ours, _has("placement"), _listens(file.placement))
        self.scheduler = _part("scheduler", ours, _has("scheduler"), _listens(file.scheduler))

    @property
    def control_plane(self) -> list[Part]:
        return [part for part in (self.placement, self.scheduler) if part is not None]

    @property
    def all(self) -> list[Part]:
        broker = [] if self.broker is None else [self.broker]
        return [*broker, *self.control_plane, *self.sidecars.values(), *self.apps.values()]

    async def supervise(self) -> None:
        """Start again what of Dapr ended by itself, as Kubernetes and Compose do: for ever."""
        while True:
            for part in (*self.control_plane, *self.sidecars.values()):
                if not part.alive and not part.held:
                    part.start()
            await asyncio.sleep(SUPERVISE_SECONDS)

    async def heal(self) -> None:
        """Start again whatever is not as it was, so that the next fault meets a whole system."""
        for part in self.all:
            if not part.runs_as_it_was:
                await part.kill()
                await part.restart()
        for part in self.all:
            await part.ready()


Matches = Callable[[list[str]], bool]


def _part(
    name: str, ours: Sequence[psutil.Process], matches: Matches, is_ready: Probe
) -> Part | None:
    for process in ours:
        with suppress(psutil.NoSuchProcess):
            command = process.cmdline()
            if command and matches(command):
                return Part(name, command, process.environ(), process, is_ready)
    return None


def _required(name: str, ours: Sequence[psutil.Process], matches: Matches, is_ready: Probe) -> Part:
    part = _part(name, ours, matches, is_ready)
    if part is None:
        raise StackError(f"{name} was not started by this command, so it will not be killed")
    return part


def _runs(arguments: list[str]) -> Matches:
    """Those of dapr.yaml; before them a process names its script, and the interpreter of it."""
    return lambda command: bool(arguments) and command[-len(arguments) :] == arguments


def _has(program: str, *arguments: str) -> Matches:
    def matches(command: list[str]) -> bool:
        return Path(command[0]).name == Path(program).name and all(
            argument in command for argument in arguments
        )

    return matches


def _answers(url: str) -> Probe:
    async def answers() -> bool:
        try:
            async with aiohttp.request("GET", url, timeout=PROBE) as response:
                return response.ok
        except (aiohttp.ClientError, TimeoutError):
            return False

    return answers


def _listens(port: int) -> Probe:
    async def listens() -> bool:
        return ports.answers(port)

    return listens


async def _pings() -> bool:
    # It listens before it has read its data, and refuses everything until then.
    async with Valkey(port=REDIS_PORT, socket_timeout=2) as valkey:
        try:
            return bool(await valkey.ping())
        except ValkeyError:
            return False
