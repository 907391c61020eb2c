"""SNS and SQS from the wheel of moto."""

import sys
from pathlib import Path

from tests.brokers.servers.server import Server


class Moto(Server):
    """SNS and SQS as moto serves them. It asks for no password and keeps its data in memory."""

    durable = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
        }

    def start(self) -> None:
        self._run([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)])
        self._wait()
