"""A start that fails says why at once, and stops what it had started without waiting for it."""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from workspace import ports, processes, profiles, runtime, stack
from workspace.daprfile import DaprFile
from workspace.errors import StackError

# As `dapr run` is while it starts its apps.
DEAF = (
    "import signal, time; "
    "[signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)]; "
    "print('deaf', flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "RUN", tmp_path)
    monkeypatch.setattr(processes, "LOGS", tmp_path / "logs")


def deaf() -> None:
    processes.start("deaf", [sys.executable, "-c", DEAF], {})
    deadline = time.monotonic() + 10
    while "deaf" not in (processes.LOGS / "deaf.log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_reason_comes_before_the_stopping(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        deaf()
        raise StackError("the sidecar of bank gave up: [WRONG]")

    monkeypatch.setattr(runtime, "find", lambda: runtime.Runtime(Path("/none"), Path("/none/dapr")))
    monkeypatch.setattr(ports, "require_free", lambda _: None)
    monkeypatch.setattr(profiles, "in_use", lambda _: [])
    monkeypatch.setattr(stack, "_ensure", fail)
    began = time.monotonic()
    with pytest.raises(StackError, match="not up, for the reason above"):
        stack.up()
    assert time.monotonic() - began < processes.STOP_SECONDS / 2
    said = capsys.readouterr().err.splitlines()
    assert said == ["the sidecar of bank gave up: [WRONG]", "stopping: deaf"]
    assert processes.running() == []


def test_nothing_starts_beside_a_component_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: object) -> None:
        raise StackError("pubsub.yaml:3 cannot be read as YAML")

    monkeypatch.setattr(profiles, "require_readable", refuse)
    with pytest.raises(StackError, match=r"pubsub\.yaml:3"):
        stack.up()
    assert processes.running() == []


def test_what_dapr_run_needs_is_started_once_and_goes_on_when_a_part_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "find", lambda: runtime.Runtime(Path("/none"), Path("/none/dapr")))
    monkeypatch.setattr(profiles, "in_use", lambda _: [])
    monkeypatch.setattr(ports, "answers", lambda port: "placement" in processes.running())
    placement = [sys.executable, "-c", DEAF]
    monkeypatch.setattr(stack, "_placement", lambda *_: placement)
    monkeypatch.setattr(stack, "_scheduler", lambda *_: None)
    monkeypatch.setattr(ports, "require_free", lambda _: None)
    try:
        stack.servers()
        stack.servers()
        assert processes.running() == ["placement"]
        monkeypatch.setattr(ports, "answers", lambda port: port != DaprFile().scheduler)
        with pytest.raises(StackError, match="scheduler: nothing answers"):
            stack.servers()
        assert processes.running() == ["placement"]
    finally:
        stack.down(0)


def test_a_service_of_this_machine_is_asked_through_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with ThreadingHTTPServer(("127.0.0.1", 0), Ready) as service:
        Thread(target=service.serve_forever).start()
        assert stack._ok(f"http://127.0.0.1:{service.server_port}/readyz")
        service.shutdown()
