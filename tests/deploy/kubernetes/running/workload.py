"""The workspace on the cluster: put there by its own command, and given orders to fulfil."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.kubernetes.running.node import Cluster
from tests.deploy.kubernetes.running.prepare import SERVICES, SLUG, say

DRIVER = Path(__file__).parent / "orders.py"
DEPLOY_SECONDS = 600
RESULT_SECONDS = 600


@dataclass(frozen=True)
class Workload:
    cluster: Cluster
    workspace: Path
    overlay: str
    namespace: str = SLUG

    def up(self) -> None:
        self._workspace("up")

    def down(self) -> None:
        self._workspace("down", "--confirm", self.namespace)

    def pods(self, name: str) -> list[dict[str, Any]]:
        """Those of a service or a server that are not about to end."""
        found = self.cluster.pods(self.namespace, f"app.kubernetes.io/name={name}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def kubectl(self, *arguments: str, seconds: float = 120) -> str:
        done = self.cluster.api.kubectl("-n", self.namespace, *arguments, seconds=seconds)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    @contextmanager
    def orders(self, name: str, count: int, seconds: float) -> Iterator[None]:
        """So many in each style, placed over so many seconds, the first before the block begins.

        Raises AssertionError in the end unless each has ended as it must, and nothing was lost.
        """
        given = {"urls": self._urls(), "name": name, "count": count, "seconds": seconds}
        with tempfile.TemporaryFile("w+") as errors:
            driver = subprocess.Popen(
                # Not this folder's modules: it has a `dapr.py`.
                [self.workspace / ".venv" / "bin" / "python", "-P", DRIVER],
                cwd=self.workspace,
                env={"PYTHONPATH": str(self.workspace), "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            assert driver.stdin
            assert driver.stdout
            try:
                driver.stdin.write(json.dumps(given))
                driver.stdin.close()
                driver.stdin = None
                placing = driver.stdout.readline()
                if placing.strip() == "placing":
                    yield
                output, _ = driver.communicate(timeout=RESULT_SECONDS)
            finally:
                with suppress(ProcessLookupError):
                    driver.kill()
                driver.wait()
            errors.seek(0)
            assert driver.returncode == 0, f"{name}: {errors.read()[-3000:]}"
        result = json.loads(output.splitlines()[-1])
        say(f"{name}: {result['ended']} orders ended, the slowest after {result['slowest']:.1f} s")
        assert not result["wrong"], f"{name}: {result['wrong'][:10]}\n{self._state()}"
        assert result["ended"] == 3 * count

    def _urls(self) -> dict[str, str]:
        found = {}
        for service in SERVICES:
            spec = self.cluster.api.get("service", service, "-n", self.namespace)["spec"]
            found[service] = f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"
        return found

    def _workspace(self, command: str, *more: str) -> None:
        began = time.monotonic()
        done = subprocess.run(
            [
                *(self.workspace / ".venv" / "bin" / "workspace", "kube", command),
                *("--overlay", self.overlay, *more),
            ],
            cwd=self.workspace,
            capture_output=True,
            text=True,
            timeout=DEPLOY_SECONDS,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self._state()}"
        say(f"{self.overlay}: {command} in {time.monotonic() - began:.0f} s")

    def _state(self) -> str:
        pods = self.cluster.api.kubectl("-n", self.namespace, "get", "pods", "-o", "wide").stdout
        events = self.cluster.api.kubectl(
            *("-n", self.namespace, "get", "events", "--sort-by=.lastTimestamp")
        ).stdout
        return f"{pods}\n{events[-3000:]}"
