"""NATS from its wheel."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.brokers.servers.server import Server


class Nats(Server):
    """The server in the wheel, with JetStream; it asks for a token, and has a stream a topic."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        super().__init__(folder)
        self.environment = {"NATS_URL": f"nats://127.0.0.1:{self.port}", "NATS_TOKEN": "right"}
        self.with_wrong_password = {**self.environment, "NATS_TOKEN": "wrong"}
        self._workspace = workspace

    def start(self) -> None:
        binary = str(Path(sys.executable).with_name("nats-server"))
        listening = ["--addr", "127.0.0.1", "--port", str(self.port), "--auth", "right"]
        self._run([binary, *listening, "--jetstream", "--store_dir", str(self.folder)])
        self._wait()

    def make_topics(self, names: Sequence[str]) -> None:
        subprocess.run(
            [str(self._workspace / ".venv/bin/workspace"), "streams", *names],
            cwd=self._workspace,
            env={**os.environ, **self.environment},
            check=True,
        )
