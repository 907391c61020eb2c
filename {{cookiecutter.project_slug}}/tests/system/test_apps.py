"""One app of the running stack is restarted, debugged and watched, and its sidecar stays."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from workspace import apps, memberfile, processes
from workspace.daprfile import ROOT, App, DaprFile

SECONDS = 90
WORKSPACE = str(Path(sys.executable).with_name("workspace"))
NAMES = list(DaprFile().apps)[:1]


@pytest.fixture(params=NAMES)
def app(request: pytest.FixtureRequest, workspace: DaprFile) -> App:
    return workspace.apps[request.param]


def on(port: int) -> psutil.Process:
    """The process of the stack, or of its debugger, that listens there."""
    here = [*processes.members(), *psutil.Process().children(recursive=True)]
    (found,) = {process for process in here if apps.listens(process, port)}
    return found


def until_another(than: psutil.Process, port: int) -> psutil.Process:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if (found := on(port)) != than:
                return found
        except ValueError:  # nobody, while it starts
            pass
        time.sleep(0.1)
    raise AssertionError(f"nothing else listens on port {port} after {SECONDS} s")


@contextmanager
def command(*words: str) -> Iterator["subprocess.Popen[str]"]:
    """Of the command line, until Ctrl-C."""
    process = subprocess.Popen([WORKSPACE, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)


def test_a_restart_changes_the_app_alone_and_nothing_of_what_it_is_given(app: App) -> None:
    before, sidecar = on(app.app_port), on(app.http_port)
    given = before.environ()
    apps.restart(app)
    after = on(app.app_port)
    assert after != before
    assert not before.is_running()
    assert on(app.http_port) == sidecar
    assert {name: after.environ().get(name) for name in given} == given


def test_an_app_that_has_ended_is_started_again(app: App) -> None:
    before = on(app.app_port)
    before.kill()
    before.wait(SECONDS)
    apps.restart(app)
    assert on(app.app_port).is_running()


def test_a_debugged_app_runs_in_the_terminal_and_then_as_before(app: App) -> None:
    before, sidecar = on(app.app_port), on(app.http_port)
    with command("debug", app.app_id) as terminal:
        debugged = until_another(before, app.app_port)
        assert debugged.ppid() == terminal.pid
    after = until_another(debugged, app.app_port)
    assert after.ppid() != terminal.pid
    assert on(app.http_port) == sidecar


def test_a_change_of_its_code_restarts_it(app: App) -> None:
    if memberfile.of(app.app_id) is not None:
        pytest.skip("its folder is known to its member.toml only")
    before, sidecar = on(app.app_port), on(app.http_port)
    with command("dev") as watching:
        assert watching.stderr is not None
        assert "watching" in watching.stderr.readline()
        (ROOT / "services" / app.app_id / "src" / app.package / "main.py").touch()
        until_another(before, app.app_port)
        assert "ready after" in watching.stderr.readline()
    assert on(app.http_port) == sidecar
