"""A workspace that runs in containers, and what a test does to it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy import network
from tests.deploy.daemon import Docker
from tests.deploy.images import IMAGES

TRAFFIC = Path(__file__).parent / "traffic.py"
MAKE_SECONDS = 600
END_SECONDS = 600


@dataclass(frozen=True)
class Workspace:
    folder: Path
    docker: Docker

    @property
    def environment(self) -> dict[str, str]:
        return {**self.docker.environment, **IMAGES}

    def make(self, *targets: str) -> str:
        """What it prints. Raises RuntimeError with that."""
        done = subprocess.run(
            ["make", *targets],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=MAKE_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"make {' '.join(targets)} failed:\n{done.stdout[-8000:]}")
        return done.stdout

    @contextmanager
    def traffic(self, count: int, seconds: float) -> Iterator[None]:
        """Orders flow while the block runs; afterwards all of them must add up."""
        python = str(self.folder / ".venv" / "bin" / "python")
        process = subprocess.Popen(
            network.inside(self.docker.namespace, python, str(TRAFFIC), str(count), str(seconds)),
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                assert process.stdout is not None
                first = process.stdout.readline()
                assert first == "flowing\n", first + process.communicate(timeout=END_SECONDS)[1]
                yield
                output, error = process.communicate(timeout=END_SECONDS)
            finally:
                process.kill()
        assert process.returncode == 0, error
        result: dict[str, Any] = json.loads(output)
        print(f"{result['orders']} orders in {result['seconds']} s")
        assert not result["wrong"], "\n".join(result["wrong"])
