"""PostgreSQL from Debian."""

import os
import shutil
import tempfile
from pathlib import Path

from tests.brokers.servers.certificates import Certificate
from tests.brokers.servers.server import Server
from tests.debian import install


class PostgreSQL(Server):
    """From Debian; the server refuses to run as root, so it runs as its own user then."""

    def __init__(self) -> None:
        # That user must reach its data, and a folder of pytest's is for one user only.
        super().__init__(Path(tempfile.mkdtemp(prefix="conformance-")))
        login = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"
        self.environment = {"POSTGRES_URL": f"{login} sslmode=disable password=right"}
        self.with_wrong_password = {"POSTGRES_URL": f"{login} sslmode=disable password=wrong"}
        self._certificate = Certificate(self.folder)
        #: As one asks a managed server, whose certificate is checked.
        self.verified = {
            "POSTGRES_URL": f"{login} sslmode=verify-full password=right",
            "SSL_CERT_DIR": str(self._certificate.authorities),
        }

    def start(self) -> None:
        user = "postgres" if os.geteuid() == 0 else None
        binaries = self._binaries()
        data = self.folder / "data"
        if not data.exists():
            password = self.folder / "password"
            password.write_text("right")
            self._certificate.make()
            if user:
                for path in (self.folder, password, *self._certificate.paths):
                    shutil.chown(path, user, user)
            making = ["-D", str(data), "-U", "postgres", "-A", "scram-sha-256", "--pwfile"]
            self._prepare([str(binaries / "initdb"), *making, str(password)], user)
        listening = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        settings = {
            "max_connections": "200",
            "ssl": "on",
            "ssl_cert_file": str(self._certificate.file),
            "ssl_key_file": str(self._certificate.key),
        }
        self._run(
            [
                *(str(binaries / "postgres"), "-D", str(data), *listening),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ],
            user=user,
        )
        self._wait()

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.folder)

    @staticmethod
    def _binaries() -> Path:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found:
            install("postgresql", Path("/usr/lib/postgresql"))
            found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        return found[-1].parent
