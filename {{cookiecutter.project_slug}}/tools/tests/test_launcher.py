"""`dapr run` starts the installed daprd by a script, which adds what the CLI has no option for."""

import subprocess
from pathlib import Path

import pytest

from workspace import launcher, processes
from workspace.runtime import Runtime


def test_a_sidecar_gets_what_the_cli_gives_it_and_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "RUN", tmp_path / "run")
    daprd = tmp_path / "a home" / ".dapr" / "bin" / "daprd"
    daprd.parent.mkdir(parents=True)
    daprd.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    daprd.chmod(0o755)
    environment = launcher.environment(Runtime(tmp_path / "a home", Path("/none/dapr")))
    script = Path(environment["DAPR_RUNTIME_PATH"]) / ".dapr" / "bin" / "daprd"
    given = ["--app-id", "bank", "--config", "a path with spaces"]
    said = subprocess.run([script, *given], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == [
        *given,
        "--dapr-internal-grpc-listen-address=127.0.0.1",
        "--metrics-listen-address=127.0.0.1",
    ]
