"""RabbitMQ from Debian."""

import shutil
from pathlib import Path

from tests.brokers.servers.ports import free_port
from tests.brokers.servers.server import Server
from tests.debian import install


class RabbitMQ(Server):
    """Debian's rabbitmq-server, as a node of its own."""

    SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment = {"RABBITMQ_URL": f"amqp://guest:guest@127.0.0.1:{self.port}"}
        self.with_wrong_password = {
            "RABBITMQ_URL": self.environment["RABBITMQ_URL"].replace(":guest@", ":wrong@")
        }
        self._epmd_port, self._distribution_port = free_port(), free_port()

    def start(self) -> None:
        install("rabbitmq-server", self.SCRIPT)
        (self.folder / "plugins").write_text("[].")
        # Erlang's port mapper would stay behind as a daemon; in the foreground it is ours to stop.
        epmd = shutil.which("epmd")
        assert epmd is not None
        self._run([epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1"])
        self._run(
            [str(self.SCRIPT)],
            {
                "HOME": str(self.folder),
                "ERL_EPMD_PORT": str(self._epmd_port),
                "RABBITMQ_NODENAME": f"test{self.port}@localhost",
                "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": str(self.port),
                "RABBITMQ_DIST_PORT": str(self._distribution_port),
                "RABBITMQ_MNESIA_BASE": f"{self.folder}/mnesia",
                "RABBITMQ_LOG_BASE": f"{self.folder}/log",
                "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/plugins",
                "RABBITMQ_CONFIG_FILE": f"{self.folder}/none",
            },
        )
        self._wait()
