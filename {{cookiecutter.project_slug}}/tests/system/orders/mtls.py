"""Sidecars with mTLS, as deploy/compose starts them: `dapr run` starts them without."""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from workspace import identities, runtime
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
def sidecars(apps: Mapping[str, str], folder: Path) -> Iterator[dict[str, App]]:
    """A sentry, and for each name an app that answers and its sidecar, with the identity of a name.

    A sidecar that does not get ready fails with the end of its log. Certificates are in `folder`.
    """
    with ExitStack() as stack:
        for name, content in identities.make(folder, apps).items():
            (folder / name).write_text(content)
        sentry = free_port()
        stack.enter_context(
            process(
                "sentry",
                *("--issuer-credentials", str(folder), "--port", str(sentry)),
                *("--issuer-ca-filename", "trust-anchors"),
                *("--issuer-certificate-filename", "issuer-certificate"),
                *("--issuer-key-filename", "issuer-key"),
                *("--listen-address", "127.0.0.1"),
                *("--config", str(_configuration(folder))),
                *("--healthz-port", str(free_port()), "--metrics-port", str(free_port())),
                log=folder / "sentry.log",
            )
        )
        started = {}
        for name, identity in apps.items():
            http, grpc, metrics = free_ports(3)
            app = App(name, stack.enter_context(answering()), http, grpc, metrics)
            started[name] = app
            configurations = [part for file in CONFIGURATIONS for part in ("--config", file)]
            running = stack.enter_context(
                process(
                    "daprd",
                    *("--app-id", name, "--app-port", str(app.app_port), *configurations),
                    *("--enable-mtls", "--sentry-address", f"127.0.0.1:{sentry}"),
                    *("--dapr-http-port", str(app.http_port)),
                    *("--dapr-grpc-port", str(app.grpc_port)),
                    *("--metrics-port", str(app.metrics_port)),
                    *("--dapr-internal-grpc-port", str(free_port())),
                    log=folder / f"{name}.log",
                    environment={
                        "DAPR_TRUST_ANCHORS": (folder / "trust-anchors").read_text(),
                        "DAPR_SENTRY_TOKEN_FILE": str(folder / f"identity-{identity}"),
                    },
                )
            )
            wait_until(partial(is_ready, app), running, folder / f"{name}.log")
        yield started


def _configuration(folder: Path) -> Path:
    """That of deploy/sentry.yaml, with the keys where they are here."""
    text = (ROOT / "deploy" / "sentry.yaml").read_text()
    made = folder / "sentry.yaml"
    made.write_text(text.replace("/etc/dapr/issuer", str(folder)))
    return made


@contextmanager
def process(
    binary: str, *arguments: str, log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    path = runtime.find().binary(binary)
    assert path is not None, f"the Dapr runtime has no {binary}"
    # The workspace's tokens are not for these sidecars.
    inherited = {name: value for name, value in os.environ.items() if "API_TOKEN" not in name}
    with log.open("w") as output:
        running = subprocess.Popen(
            [path, *arguments],
            cwd=ROOT,
            env=inherited | (environment or {}),
            stdout=output,
            stderr=output,
        )
    try:
        yield running
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


def wait_until(holds: Callable[[], bool], running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not holds():
        waits = running.poll() is None and time.monotonic() < deadline
        assert waits, f"it is not up:\n{log.read_text()[-3000:]}"
        time.sleep(0.1)
