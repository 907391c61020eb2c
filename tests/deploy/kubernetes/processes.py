"""Servers that the tests start: each with its log, none left behind, all ended by their own pid."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.waiting import wait_until

END_SECONDS = 20


class Server:
    """A process in a group of its own, which ends with it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        logs: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Raises AssertionError with the end of its log, at once if it has died."""
        wait_until(f"{self.name} is ready", ready, seconds, self._alive)

    def _alive(self) -> None:
        log = self.log.read_text(errors="replace")[-3000:]
        assert self.process.poll() is None, f"{self.name} has ended:\n{log}"
