"""Processes that outlive this command: started with a log, remembered, and stopped by pid."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from workspace.daprfile import ROOT
from workspace.errors import StackError

RUN = ROOT / ".run"
LOGS = RUN / "logs"
STOP_SECONDS = 20


@dataclass(frozen=True)
class Started:
    """What was started, and all that it started: it leads a process group of its own.

    A pid is used again; together with the start time it names one process.
    """

    name: str
    pid: int
    at: float

    @property
    def leader(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE
            return process if alive and process.create_time() == self.at else None
        except psutil.NoSuchProcess:
            return None

    @property
    def members(self) -> list[psutil.Process]:
        """All that still runs, also after the leader has ended and left its children behind."""
        leader = self.leader
        family = [leader, *leader.children(recursive=True)] if leader else []
        return list({*family, *(each for each in psutil.process_iter() if self._leads(each))})

    def _leads(self, process: psutil.Process) -> bool:
        try:
            return (
                os.getpgid(process.pid) == self.pid
                and process.create_time() >= self.at
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except (psutil.NoSuchProcess, ProcessLookupError):
            return False


def start(name: str, command: Sequence[str], environment: dict[str, str]) -> psutil.Process:
    """Start in the background, in a process group of its own, so that Ctrl-C is ours to handle."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("w") as log:
        process = psutil.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    # Without what has ended: an app may be restarted any number of times.
    before = [each for each in _remembered() if each.members]
    _remember([*before, Started(name, process.pid, process.create_time())])
    return process


def stop_all(timeout: float = STOP_SECONDS) -> None:
    """Stop what was started, last first: the services need their broker until the end.

    `timeout`: for how many seconds each may end what it has begun.
    """
    for started in reversed(_remembered()):
        _stop(started, timeout)
    _remember([])


def running() -> list[str]:
    return [started.name for started in _remembered() if started.members]


def leader(name: str) -> psutil.Process:
    """Raises `StackError` if it does not run."""
    found = (each.leader for each in _remembered() if each.name == name)
    process = next(filter(None, found), None)
    if process is None:
        raise StackError(f"{name} does not run. `make down up` starts all again.")
    return process


def members() -> list[psutil.Process]:
    """All processes of what runs."""
    return [process for started in _remembered() for process in started.members]


def require_alive(name: str, process: psutil.Process) -> None:
    """Raises `StackError` with the end of the log if the process has ended."""
    if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
        raise StackError(f"{name} has ended. Its log:\n{tail(LOGS / f'{name}.log')}")


def tail(log: Path, lines: int = 15) -> str:
    return f"{log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _stop(started: Started, timeout: float) -> None:
    alive = started.members
    if (leader := started.leader) is not None:
        # SIGINT is what `dapr run` expects: it stops its apps, then their sidecars.
        _signal([leader], signal.SIGINT)
        psutil.wait_procs(alive, timeout=timeout)
        # Asked again: `dapr run` may have gone on to start its next app meanwhile.
        alive = started.members
    _signal(alive, signal.SIGTERM)
    _, alive = psutil.wait_procs(alive, timeout=3)
    _signal(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=3)


def _signal(processes: Iterable[psutil.Process], which: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(which)
        except psutil.NoSuchProcess:
            continue


def _remembered() -> list[Started]:
    try:
        return [Started(**entry) for entry in json.loads((RUN / "processes.json").read_text())]
    except FileNotFoundError:
        return []


def _remember(started: list[Started]) -> None:
    RUN.mkdir(exist_ok=True)
    new = RUN / f"processes.{time.monotonic_ns()}"
    new.write_text(json.dumps([asdict(each) for each in started]))
    new.replace(RUN / "processes.json")
