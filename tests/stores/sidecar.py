"""A sidecar with nothing but a store, and its state API."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.brokers.servers.ports import free_port
from tests.waiting import wait_until

START_SECONDS = 60

#: "upsert" or "delete", key, value, and the ETag that was read; None: the key must be absent.
Operation = tuple[str, str, Any, str | None]


class StaleETag(Exception):
    """The store refused the transaction."""


class Sidecar:
    """The state API of one store, over HTTP."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/v1.0/state/statestore"

    def transact(self, *operations: Operation) -> None:
        """All or nothing. Raises `StaleETag`."""
        body = {
            "operations": [
                {
                    "operation": operation,
                    "request": {
                        "key": key,
                        "value": value,
                        "options": {"concurrency": "first-write"},
                        **({"etag": etag} if etag is not None else {}),
                    },
                }
                for operation, key, value, etag in operations
            ]
        }
        request = urllib.request.Request(
            f"{self._url}/transaction",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            raise StaleETag(error.read().decode(errors="replace")) from error

    def read(self, key: str) -> tuple[Any, str | None]:
        """Value and ETag; None for both when there is none."""
        with urllib.request.urlopen(f"{self._url}/{key}", timeout=30) as response:
            content = response.read()
            return (json.loads(content) if content else None), response.headers.get("etag")

    def get(self, key: str) -> Any:
        return self.read(key)[0]

    def etag(self, key: str) -> str | None:
        return self.read(key)[1]


@contextmanager
def sidecar(folder: Path, component: Path, environment: Mapping[str, str]) -> Iterator[Sidecar]:
    """daprd with this one component file, less the scopes of its workspace."""
    resources = folder / "components"
    resources.mkdir()
    (folder / "data").mkdir()
    content = yaml.safe_load(component.read_text())
    content.pop("scopes", None)
    (resources / component.name).write_text(yaml.safe_dump(content))
    ports = {name: free_port() for name in ("http", "grpc", "metrics", "internal-grpc")}
    with (folder / "daprd.log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(Path(os.environ["DAPR_RUNTIME_PATH"]) / ".dapr" / "bin" / "daprd"),
                *("--app-id", "conformance", "--resources-path", str(resources)),
                *("--dapr-http-port", str(ports["http"]), "--dapr-grpc-port", str(ports["grpc"])),
                *("--metrics-port", str(ports["metrics"])),
                *("--dapr-internal-grpc-port", str(ports["internal-grpc"])),
                *("--placement-host-address", "", "--scheduler-host-address", ""),
            ],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until("the sidecar", lambda: _ready(ports["http"], process), START_SECONDS)
        yield Sidecar(ports["http"])
    finally:
        process.terminate()
        process.wait(20)


def _ready(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the sidecar ended: see daprd.log"
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1.0/healthz", timeout=2) as response:
            return bool(response.status == 204)
    except OSError:
        return False
