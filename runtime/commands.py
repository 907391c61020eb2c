"""Runs a program that may hang, and may have children that hang."""

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

TICK = 1.0


class CommandFailed(Exception):
    """The program is missing, took too long or failed; the text is the reason."""


def run(
    command: list[str],
    *,
    seconds: float,
    silence: float = float("inf"),
    watch: Callable[[str], None] = lambda line: None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """The program's output, stdout and stderr in one.

    `watch` gets each line, and "" about every second without one. The program may take `seconds`
    in all and stay silent for `silence`. Raises `CommandFailed`.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A group of its own, so that its children can be ended with it.
            start_new_session=True,
        )
    except OSError as error:
        raise CommandFailed(f"{command[0]} cannot be run: {error.strerror}") from error
    try:
        assert process.stdout is not None
        lines = _read(process.stdout, seconds, silence, watch)
        code = process.wait()
    finally:
        _end(process)
    if code != 0:
        raise CommandFailed(_reason(lines) or f"{command[0]} ended with code {code}")
    return "\n".join(lines)


def _read(
    stream: IO[str], seconds: float, silence: float, watch: Callable[[str], None]
) -> list[str]:
    arriving: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in stream:
            arriving.put(line.rstrip())
        arriving.put(None)

    threading.Thread(target=read, daemon=True).start()
    lines: list[str] = []
    end = time.monotonic() + seconds
    heard = time.monotonic()
    while True:
        now = time.monotonic()
        if now >= end:
            raise CommandFailed(f"not done after {seconds:.0f} s")
        if now - heard >= silence:
            raise CommandFailed(f"no sign of life for {silence:.0f} s")
        try:
            line = arriving.get(timeout=min(TICK, end - now))
        except queue.Empty:
            watch("")
            continue
        if line is None:
            return lines
        heard = time.monotonic()
        lines.append(line)
        watch(line)


def _end(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # The group has ended already; macOS says so with the second error.
    finally:
        process.wait()


def _reason(lines: list[str]) -> str:
    """The first lines that tell something: Go names each package and download before an error."""
    noise = ("go: downloading ", "# get ")
    telling = [line.strip() for line in lines if " " in line and not line.startswith(noise)]
    return " | ".join(telling[:3])
