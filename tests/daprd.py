"""One daprd, started and stopped by a test; stopped, frozen or killed in the middle of its work.

It is used from two environments, the template's own and a workspace's: nothing here needs either.
"""

import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from tests.brokers.servers.ports import free_port
from tests.waiting import wait_until

START_SECONDS = 60
#: Names the daprd to run, if not the one of the runtime.
DAPRD = "DAPRD"


class Daprd:
    """A sidecar in a folder of its own, or in one that it shares with a replica.

    `components` are files of a workspace, less the scopes for the services there.
    """

    def __init__(
        self,
        folder: Path,
        app_id: str,
        components: Iterable[Path] = (),
        *,
        environment: Mapping[str, str] | None = None,
        options: Iterable[str] = (),
    ) -> None:
        self.app_id = app_id
        self.http_port, self.grpc_port, self.internal_port = (free_port() for _ in range(3))
        self.log = folder / f"{app_id}-{self.http_port}.log"
        self._folder = folder
        self._components = list(components)
        self._environment = environment or {}
        self._options = list(options)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.stop)
            self.start()
            stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns once it is ready. Raises AssertionError with the end of its log."""
        resources = self._folder / "components"
        resources.mkdir(exist_ok=True)
        (self._folder / "data").mkdir(exist_ok=True)
        for file in self._components:
            component = yaml.safe_load(file.read_text())
            component.pop("scopes", None)
            (resources / file.name).write_text(yaml.safe_dump(component))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program(),
                    *("--app-id", self.app_id, "--resources-path", str(resources)),
                    *("--dapr-http-port", str(self.http_port)),
                    *("--dapr-grpc-port", str(self.grpc_port)),
                    *("--metrics-port", str(free_port())),
                    *("--dapr-internal-grpc-port", str(self.internal_port)),
                    *("--placement-host-address", "", "--scheduler-host-address", ""),
                    *self._options,
                ],
                cwd=self._folder,
                # On a machine with loopback only, daprd finds no address of its own.
                env={**os.environ, "DAPR_HOST_IP": "127.0.0.1", **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until("the sidecar", self._ready, START_SECONDS, self._require_alive)

    def stop(self) -> None:
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """It stays, and answers nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # The signal returns at once, and a thread that runs may still answer a call.
        wait_until("every thread to stop", self._stopped, START_SECONDS)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _stopped(self) -> bool:
        assert self._process is not None
        threads = list(Path(f"/proc/{self._process.pid}/task").glob("*/stat"))
        try:
            states = [each.read_text().rpartition(")")[2].split()[0] for each in threads]
        except OSError:
            # A thread has ended meanwhile.
            return False
        return set(states) == {"T"}

    def _ready(self) -> bool:
        url = f"http://127.0.0.1:{self.http_port}/v1.0/healthz"
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return bool(response.status == 204)
        except (urllib.error.URLError, OSError):
            return False

    def _require_alive(self) -> None:
        assert self._process is not None
        ended = self._process.poll() is not None
        assert not ended, f"the sidecar ended:\n{self.log.read_text()[-3000:]}"


def program() -> str:
    default = Path(os.environ["DAPR_RUNTIME_PATH"]) / ".dapr" / "bin" / "daprd"
    return os.environ.get(DAPRD) or str(default)
