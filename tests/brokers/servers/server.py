"""What all servers share: processes of their own, on loopback, stopped by pid."""

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.brokers.servers.ports import answers, free_port, require_free

START_SECONDS = 60


class Server(ABC):
    """A server that keeps its data in `folder` over a `kill` and a new `start`."""

    #: What its profile takes from the environment.
    environment: dict[str, str]
    #: The same with a password that is wrong; None where the server asks for none.
    with_wrong_password: dict[str, str] | None = None
    #: Whether what it had accepted is there after a kill.
    durable = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def start(self) -> None:
        """Return once the server answers."""

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def start_afresh(self) -> None:
        """With nothing of what it had accepted."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.start()

    def make_topics(self, names: Sequence[str]) -> None:  # noqa: B027
        """For a broker that does not make a topic when someone names it first."""

    @property
    def memory_mb(self) -> float:
        """What its processes hold in memory now, as Linux counts it."""
        groups = {process.pid for process in self._processes}
        pages = 0
        for status in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getpgid(int(status.name)) in groups:
                    pages += int((status / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _run(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        if not self._processes:
            require_free(self.port)
        with (self.folder / "server.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: a server starts helpers of its own, which end with it.
                start_new_session=True,
                cwd=self.folder,
                user=user,
                group=user,
            )
        self._processes.append(process)

    def _prepare(self, command: Sequence[str], user: str | None = None) -> None:
        """Run what must have ended before the server starts. Raises with what it said."""
        done = subprocess.run(
            command, cwd=self.folder, user=user, group=user, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.port):
            dead = [process for process in self._processes if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                log = (self.folder / "server.log").read_text(errors="replace")
                raise RuntimeError(f"{type(self).__name__} did not start:\n{log[-3000:]}")
            time.sleep(0.1)

    def _end(self, how: signal.Signals) -> None:
        for process in reversed(self._processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._processes.clear()
        # What a helper process still holds would look like the server that is started next.
        deadline = time.monotonic() + START_SECONDS
        while answers(self.port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{type(self).__name__} was killed and still answers")
            time.sleep(0.1)
