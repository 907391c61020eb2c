"""Sidecars with mTLS, started by hand: `dapr run` starts them without."""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from workspace import runtime
from workspace.daprfile import ROOT, App

#: What a workspace with mTLS gives to each of its sidecars.
CONFIGURATIONS = ("components/configuration.yaml", "components/access-control.yaml")
READY_SECONDS = 20


class Answering(BaseHTTPRequestHandler):
    """An app that answers 200 to whatever reaches it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """An app that is silent."""


@contextmanager
def sidecars(apps: Sequence[str], folder: Path) -> Iterator[dict[str, App]]:
    """A sentry, and for each name an app that answers and its sidecar. Certificates in `folder`."""
    with ExitStack() as stack:
        credentials = folder / "credentials"
        credentials.mkdir()
        sentry = free_port()
        stack.enter_context(
            process(
                "sentry",
                *("--issuer-credentials", str(credentials), "--port", str(sentry)),
                *("--listen-address", "127.0.0.1"),
                *("--config", CONFIGURATIONS[0]),
                *("--healthz-port", str(free_port()), "--metrics-port", str(free_port())),
                log=folder / "sentry.log",
            )
        )
        wait_until((credentials / "ca.crt").exists, "sentry", folder / "sentry.log")
        anchors = {"DAPR_TRUST_ANCHORS": (credentials / "ca.crt").read_text()}
        started = {}
        for name in apps:
            http, grpc, metrics = free_ports(3)
            app = App(name, stack.enter_context(answering()), http, grpc, metrics)
            started[name] = app
            configurations = [part for file in CONFIGURATIONS for part in ("--config", file)]
            stack.enter_context(
                process(
                    "daprd",
                    *("--app-id", name, "--app-port", str(app.app_port), *configurations),
                    *("--enable-mtls", "--sentry-address", f"127.0.0.1:{sentry}"),
                    *("--dapr-http-port", str(app.http_port)),
                    *("--dapr-grpc-port", str(app.grpc_port)),
                    *("--metrics-port", str(app.metrics_port)),
                    *("--dapr-internal-grpc-port", str(free_port())),
                    log=folder / f"{name}.log",
                    environment=anchors,
                )
            )
            wait_until(partial(is_ready, app), name, folder / f"{name}.log")
        yield started


@contextmanager
def process(
    binary: str, *arguments: str, log: Path, environment: dict[str, str] | None = None
) -> Iterator[None]:
    path = runtime.find().binary(binary)
    assert path is not None, f"the Dapr runtime has no {binary}"
    # The workspace's tokens are not for these sidecars.
    inherited = {name: value for name, value in os.environ.items() if "API_TOKEN" not in name}
    with log.open("w") as output:
        running = subprocess.Popen(
            [path, *arguments],
            cwd=ROOT,
            env=inherited | {"NAMESPACE": "default"} | (environment or {}),
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@contextmanager
def answering() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(app: App) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{app.http_port}/v1.0/healthz", timeout=1):
            return True
    except OSError:
        return False


def wait_until(holds: Callable[[], bool], what: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"{what} is not up:\n{log.read_text()[-3000:]}"
        time.sleep(0.1)
