"""Placement and scheduler of the runtime, for sidecars that run workflows."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.brokers.servers.ports import answers, free_port
from tests.waiting import wait_until

START_SECONDS = 60


@contextmanager
def control_plane(folder: Path) -> Iterator[list[str]]:
    """The options by which a daprd finds them."""
    placement, scheduler, etcd, peers = (free_port() for _ in range(4))
    local = ["--listen-address", "127.0.0.1"]
    commands = {
        "placement": ["--port", str(placement), *local],
        "scheduler": [
            *("--port", str(scheduler), *local),
            *("--override-broadcast-host-port", f"127.0.0.1:{scheduler}"),
            *("--etcd-data-dir", str(folder / "scheduler"), "--etcd-client-port", str(etcd)),
            *("--etcd-initial-cluster", f"dapr-scheduler-server-0=http://127.0.0.1:{peers}"),
        ],
    }
    with ExitStack() as stack:
        for name, options in commands.items():
            stack.enter_context(_running(folder, name, options))
        wait_until("placement", lambda: answers(placement), START_SECONDS)
        wait_until("scheduler", lambda: answers(scheduler), START_SECONDS)
        yield [
            *("--placement-host-address", f"127.0.0.1:{placement}"),
            *("--scheduler-host-address", f"127.0.0.1:{scheduler}"),
        ]


@contextmanager
def _running(folder: Path, name: str, options: list[str]) -> Iterator[None]:
    program = Path(os.environ["DAPR_RUNTIME_PATH"]) / ".dapr" / "bin" / name
    aside = ["--healthz-port", str(free_port()), "--metrics-port", str(free_port())]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(program), *aside, *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
