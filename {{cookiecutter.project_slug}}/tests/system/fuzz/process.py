"""A service as it runs live: uvicorn beside daprd, with a store of its own."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from workspace import runtime, tokens
from workspace.daprfile import ROOT, RUN_FILE, package_of

START_SECONDS = 60
STOP_SECONDS = 10
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}

#: Nobody else may get what this service publishes.
BROKER = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: pubsub
spec:
  type: pubsub.in-memory
  version: v1
"""


def memory_limit() -> int:
    """Bytes that the container of a service may have."""
    common = yaml.safe_load((ROOT / "deploy/compose/common.yaml").read_text())
    limit = str(common["services"]["member"]["deploy"]["resources"]["limits"]["memory"])
    return int(limit[:-1]) * UNITS[limit[-1]]


@dataclass(frozen=True)
class Running:
    url: str
    #: What its sidecar sends with each request.
    headers: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def most_memory(self) -> int:
        """Bytes that it has had at most, as Linux counts them."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def tail(self) -> str:
        return "\n".join(line[:500] for line in self.log.read_text().splitlines()[-20:])


@contextmanager
def running(app_id: str, folder: Path) -> Iterator[Running]:
    """The service and its sidecar until the block ends; data and logs are in the folder."""
    found = runtime.find()
    (folder / "data").mkdir()
    (folder / "broker").mkdir()
    (folder / "broker/pubsub.yaml").write_text(BROKER)
    app, http, grpc, internal, nobody = free_ports(5)
    daprfile = yaml.safe_load(RUN_FILE.read_text())
    (own,) = (each for each in daprfile["apps"] if each["appID"] == app_id)
    environment = {
        **found.environment,
        **tokens.of(app_id),
        **daprfile["common"]["env"],
        **own.get("env", {}),
        "APP_ID": app_id,
        # No workflows: for them the service asks here whether its sidecar is there, and waits.
        "DAPR_HTTP_PORT": str(nobody),
        "START_TIMEOUT_SECONDS": "3600",
        "DAPR_GRPC_PORT": str(grpc),
        # daprd looks for an address of this machine, and there may be no network.
        "DAPR_HOST_IP": "127.0.0.1",
    }
    sidecar = [
        *(str(found.binary("daprd")), "--app-id", app_id, "--enable-metrics=false"),
        *("--dapr-http-port", str(http), "--dapr-grpc-port", str(grpc)),
        *("--dapr-internal-grpc-port", str(internal)),
        *("--config", str(ROOT / "components/configuration.yaml")),
        *("--resources-path", str(ROOT / "components/state/sqlite")),
        *("--resources-path", str(folder / "broker")),
    ]
    uvicorn = [sys.executable, "-m", "uvicorn", "--factory", f"{package_of(app_id)}.main:app"]
    uvicorn += ["--port", str(app)]
    with ExitStack() as stack:
        # A gigabyte, which pytest would keep.
        stack.callback(shutil.rmtree, folder / "data")
        start(stack, sidecar, environment, folder, folder / "daprd.log")
        wait_for(f"http://127.0.0.1:{http}/v1.0/healthz/outbound", folder / "daprd.log")
        log = folder / "app.log"
        process = start(stack, uvicorn, environment, folder, log)
        url = f"http://127.0.0.1:{app}"
        wait_for(f"{url}/healthz", log)
        yield Running(url, tokens.app_headers(app_id), process, log)


@contextmanager
def watched(target: Running) -> Iterator[list[float]]:
    """Gets the longest time that the service took, until the end of the block, to be alive."""
    command = [sys.executable, str(Path(__file__).with_name("watch.py")), f"{target.url}/healthz"]
    found: list[float] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as watching:
        try:
            yield found
        finally:
            said, _ = watching.communicate()
            found.append(float(said))


def start(
    stack: ExitStack, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path
) -> "subprocess.Popen[bytes]":
    output = stack.enter_context(log.open("wb"))
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT
    )
    stack.callback(stop, process)
    return process


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer; {log}:\n{log.read_text()[-2_000:]}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
