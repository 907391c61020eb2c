"""`dapr run` starts the installed daprd by a script, which adds what the CLI has no option for."""

import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from workspace import launcher, processes, tokens
from workspace.runtime import Runtime


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (tokens.API_TOKEN, tokens.APP_TOKEN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tokens, "ENV", tmp_path / ".env")
    monkeypatch.setattr(processes, "RUN", tmp_path / "run")
    tokens.make(running=list)


def test_a_sidecar_gets_what_the_cli_gives_it_loopback_and_its_own_tokens(tmp_path: Path) -> None:
    daprd = tmp_path / "a home" / ".dapr" / "bin" / "daprd"
    daprd.parent.mkdir(parents=True)
    daprd.write_text('#!/bin/sh\nprintf "%s\\n" "$DAPR_API_TOKEN" "$APP_API_TOKEN" "$@"\n')
    daprd.chmod(0o755)
    runtime = Runtime(tmp_path / "a home", Path("/none/dapr"))
    environment = launcher.environment(runtime, ["shop", "bank"])
    script = Path(environment["DAPR_RUNTIME_PATH"]) / ".dapr" / "bin" / "daprd"
    given = ["--app-id", "shop", "--config", "a path with spaces"]
    said = subprocess.run([script, *given], capture_output=True, text=True, check=True)
    own = tokens.of("shop")
    assert said.stdout.splitlines() == [
        own[tokens.API_TOKEN],
        own[tokens.APP_TOKEN],
        *given,
        "--dapr-internal-grpc-listen-address=127.0.0.1",
        "--metrics-listen-address=127.0.0.1",
    ]


def test_an_app_gets_its_own_tokens_and_all_else_of_dapr_yaml(tmp_path: Path) -> None:
    given = tmp_path / "dapr.yaml"
    common = {"resourcesPaths": ["components"], "configFilePath": "components/configuration.yaml"}
    names = ("shop", "bank")
    apps = [{"appID": name, "env": {"A": "1"}, "command": ["run"]} for name in names]
    given.write_text(yaml.safe_dump({"version": 1, "common": common, "apps": apps}))
    made = launcher.run_file(given)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    found = yaml.safe_load(made.read_text())["apps"]
    assert [app["env"] for app in found] == [{"A": "1"} | tokens.of(name) for name in names]
    assert [app["command"] for app in found] == [["run"], ["run"]]
