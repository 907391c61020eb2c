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
_REASON_LINES = 6


def ask(command: Sequence[str | Path]) -> str:
    """What a program prints within ten seconds, such as its version.

    Raises OSError when it cannot be started, and when it is silent or fails.
    """
    try:
        answer = subprocess.run(
            command,
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
        raise OSError(f"exit status {answer.returncode}: {tail(output)}")
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
    """Run a long command; `watch` is shown its complete output lines several times a second.

    `deadline` is a time.monotonic() value. Raises Failure, whose reason ends with the last lines
    that the command wrote.
    """
    lines: list[str] = []
    # A file instead of a pipe: the loop below never blocks, so the deadline and the clock hold.
    with tempfile.TemporaryFile("w+b") as output:
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Its own group, so that the compilers it starts end with it.
                start_new_session=True,
            )
        except OSError as error:
            raise Failure(step, str(error), advice) from error
        with open(os.dup(output.fileno()), "rb") as _:
            pass
        raise NotImplementedError
