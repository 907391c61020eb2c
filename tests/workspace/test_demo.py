"""`workspace demo` in a workspace: it adds up, and whatever ends it, nothing is left running."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.template.rendering import cookiecutter

PORTS = (8001, 8002, 8003, 8004, 3501, 50006)
DEADLINE_SECONDS = 120


@pytest.fixture(scope="module")
def workspace(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rendering = cookiecutter(template, tmp_path_factory.mktemp("demo") / "out")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    folder = rendering.output / "order-fulfilment"
    subprocess.run(["make", "setup"], cwd=folder, env=environment(), check=True)
    return folder


@pytest.fixture
def demo(workspace: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [".venv/bin/workspace", "demo", "--orders", "20"],
        cwd=workspace,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        running.kill()


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}


def listening() -> list[int]:
    def answers(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return [port for port in PORTS if answers(port)]


def test_it_prints_a_row_for_each_style_and_exits_with_zero(demo: subprocess.Popen[str]) -> None:
    table, progress = demo.communicate(timeout=DEADLINE_SECONDS)

    assert demo.returncode == 0, progress
    assert "add up in every style" in progress
    for style in ("choreography", "orchestration", "hybrid"):
        assert style in table
    assert listening() == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_when_it_is_stopped_nothing_is_left_running(
    demo: subprocess.Popen[str], stop: signal.Signals
) -> None:
    assert demo.stderr is not None
    progress = [demo.stderr.readline()]
    while "shipping at" not in progress[-1]:
        assert progress[-1], "".join(progress)
        progress.append(demo.stderr.readline())
    demo.send_signal(stop)

    demo.communicate(timeout=DEADLINE_SECONDS)

    assert demo.returncode == 130
    assert listening() == []


def test_a_busy_port_is_named_with_what_holds_it(workspace: Path) -> None:
    with socket.create_server(("127.0.0.1", 8003)):
        started = time.monotonic()
        done = subprocess.run(
            [".venv/bin/workspace", "demo"],
            cwd=workspace,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )

    assert done.returncode == 1
    assert f"port 8003 (API of payments) is taken by process {os.getpid()}" in done.stderr
    assert time.monotonic() - started < 30
    assert listening() == []
