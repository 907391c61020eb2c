"""The runtime that is found, and how a shell gets at it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from workspace import runtime


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runtime.Runtime:
    """One in the cache of the template, for a user with no other."""
    home = tmp_path / "a cache" / "dapr-styles" / "runtime" / "1.18.2"
    binaries = home / ".dapr" / "bin"
    binaries.mkdir(parents=True)
    for name in ("dapr", "daprd"):
        (binaries / name).write_text("#!/bin/sh\n")
        (binaries / name).chmod(0o755)
    monkeypatch.delenv("DAPR_RUNTIME_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a cache"))
    monkeypatch.setenv("PATH", str(Path(shutil.which("bash") or "").parent))
    return runtime.find()


def test_a_shell_that_runs_the_line_finds_the_runtime(
    made: runtime.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f'{made.missing_in_shell}; echo "$DAPR_RUNTIME_PATH"; type -P dapr; echo "$PATH"'
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    home, cli, path = said.stdout.splitlines()
    assert (Path(home), Path(cli)) == (made.home, made.cli)
    monkeypatch.setenv("DAPR_RUNTIME_PATH", home)
    monkeypatch.setenv("PATH", path)
    assert made.missing_in_shell == ""


def test_a_shell_lacks_nothing_of_what_dapr_init_installed(
    made: runtime.Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made.home / ".dapr", tmp_path / ".dapr")
    monkeypatch.setenv("PATH", f"{made.cli.parent}{os.pathsep}{os.environ['PATH']}")
    assert runtime.find().missing_in_shell == ""
