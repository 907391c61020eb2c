"""A certificate for 127.0.0.1 that is its own authority."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.debian import install


@dataclass(frozen=True)
class Certificate:
    """In this folder, once it is made."""

    folder: Path

    @property
    def authorities(self) -> Path:
        """The folder that holds it alone, for whoever is to trust it."""
        return self.folder / "authorities"

    @property
    def file(self) -> Path:
        return self.authorities / "server.pem"

    @property
    def key(self) -> Path:
        return self.folder / "server.key"

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.authorities, self.file, self.key)

    def make(self) -> None:
        """Unless it is there: a server that starts again keeps it."""
        if self.file.exists():
            return
        install("openssl", shutil.which("openssl") or "/usr/bin/openssl")
        self.authorities.mkdir()
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"),
                *("-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-out", str(self.file), "-keyout", str(self.key)),
            ],
            check=True,
            capture_output=True,
        )
