"""Processes that outlive this command: started with a log, remembered, and stopped by pid."""

import json
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from devstack.daprfile import ROOT
from devstack.errors import StackError

RUN = ROOT / ".run"
LOGS = RUN / "logs"
STOP_SECONDS = 20


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
    _remember([*_remembered(), {"name": name, "pid": process.pid, "at": process.create_time()}])
    return process


def stop_all() -> None:
    """Stop what was started, last first: the services need their broker until the end."""
    for entry in reversed(_remembered()):
        process = _process(entry)
        if process is not None:
            _stop(process)
    _remember([])


def running() -> list[str]:
    return [str(entry["name"]) for entry in _remembered() if _process(entry)]


def require_alive(name: str, process: psutil.Process) -> None:
    """Raises `StackError` with the end of the log if the process has ended."""
    if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
        raise StackError(f"{name} has ended. Its log:\n{tail(LOGS / f'{name}.log')}")


def tail(log: Path, lines: int = 15) -> str:
    return f"{log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _stop(process: psutil.Process) -> None:
    family = [process, *process.children(recursive=True)]
    # SIGINT is what `dapr run` expects: it stops its apps, then their sidecars.
    _signal([process], signal.SIGINT)
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
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


def _process(entry: dict[str, object]) -> psutil.Process | None:
    try:
        process = psutil.Process(int(str(entry["pid"])))
        # A pid is used again; together with the start time it names one process.
        if process.create_time() == entry["at"] and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except psutil.NoSuchProcess:
        pass
    return None


def _remembered() -> list[dict[str, object]]:
    try:
        entries: list[dict[str, object]] = json.loads((RUN / "processes.json").read_text())
    except FileNotFoundError:
        return []
    return entries


def _remember(entries: list[dict[str, object]]) -> None:
    RUN.mkdir(exist_ok=True)
    new = RUN / f"processes.{time.monotonic_ns()}"
    new.write_text(json.dumps(entries))
    new.replace(RUN / "processes.json")
