"""Runs other programs with an end in sight: each has a deadline and none outlives this process."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runtime.failure import Failure

_POLL_SECONDS = 0.2
_ANSWER_SECONDS = 10.0
# Longer than the slowest package or link on a small machine, shorter than a dead connection.
_QUIET_SECONDS = 600.0
_REASON_LINES = 6


def ask(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """What a program prints within ten seconds, such as its version.

    Raises OSError when it cannot be started, stays silent or fails.
    """
    try:
        answer = subprocess.run(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"no answer within {_ANSWER_SECONDS:.0f} s") from error
    output = answer.stdout.strip()
    if answer.returncode != 0:
        raise OSError(f"exit status {answer.returncode}: {output[-200:]}")
    return output


def run(
    command: Sequence[str | Path],
    *,
    step: str,
    advice: str,
    deadline: float,
    watch: Callable[[Sequence[str]], None],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a long command; several times a second `watch` is shown all lines it wrote so far.

    `deadline` is a time.monotonic() value. Raises Failure, with the last lines in its reason.
    """
    # A file and not a pipe: reading it never blocks, so the deadline and the shown clock hold.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own, so that the compilers it starts end with it.
                start_new_session=True,
            )
        except OSError as error:
            raise Failure(step, str(error), advice) from error
        try:
            active_at, lines = time.monotonic(), 0
            while process.poll() is None:
                said = _lines(output.fileno())
                now = time.monotonic()
                if len(said) > lines:
                    active_at, lines = now, len(said)
                if now > deadline:
                    raise Failure(step, "not finished before the deadline", advice)
                if now > active_at + _QUIET_SECONDS:
                    raise Failure(step, f"no sign of life for {_QUIET_SECONDS:.0f} s", advice)
                watch(said)
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode != 0:
            report = "\n".join(_telling(_lines(output.fileno())))
            raise Failure(step, f"exit status {process.returncode}\n{report}".rstrip(), advice)


def _lines(descriptor: int) -> list[str]:
    # pread: the offset of this file belongs to the command that is writing it.
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode(errors="replace").splitlines()


def _telling(lines: Sequence[str]) -> list[str]:
    """The last lines of a log without those that only name a package or a download."""
    return [line for line in lines if " " in line and ": downloading " not in line][-_REASON_LINES:]
