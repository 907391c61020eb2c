"""A dapr.yaml that cannot be used is refused in one line: what, where, what to do."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from workspace.daprfile import DaprFile
from workspace.errors import StackError
from workspace.newservice.enlist import APP, UVICORN

RUN_FILE = """\
common:
  resourcesPaths: [components]
  placementHostAddress: 127.0.0.1:50005
  schedulerHostAddress: 127.0.0.1:50006
apps:
- appID: bank
  appPort: 8001
  daprHTTPPort: 3501
  daprGRPCPort: 3601
  metricsPort: 9101
- appID: ledger
  appPort: 8002
  daprHTTPPort: 3502
  daprGRPCPort: 3602
  metricsPort: 9102
"""


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("apps:\n", "apps: [\n", "cannot be read as YAML"),
        ("apps:\n", "applications:\n", "apps: Field required"),
        ("- appID: ledger", "- appId: ledger", "apps[1].appID: Field required"),
        ("appPort: 8002", "appPort: http", "apps[1].appPort: Input should be a valid integer"),
        ("resourcesPaths:", "resourcePaths:", "common.resourcesPaths: Field required"),
        ("appPort: 8002", "appPort: 8001", "apps: port 8001 is there twice"),
        ("- appID: ledger", "- appID: bank", "apps: appID bank is there twice"),
        ("- appID: ledger", "- appID: on", "apps[1].appID: YAML reads on, off, yes, no"),
        ("- appID: ledger", "- appID: 'null'", "apps[1].appID: YAML reads on, off, yes, no"),
        ("- appID: ledger", "- appID: Ledger_1", "apps[1].appID: String should match pattern"),
        ("- appID: ledger", "- appID: ledger-", "apps[1].appID: String should match pattern"),
        ("127.0.0.1:50006", "127.0.0.1", "common.schedulerHostAddress"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, before: str, after: str, says: str
) -> None:
    DaprFile(write(tmp_path, RUN_FILE))
    assert before in RUN_FILE
    refused(write(tmp_path, RUN_FILE.replace(before, after)), says)


def test_an_empty_file_and_none_are_refused_as_well(tmp_path: Path) -> None:
    refused(tmp_path / "dapr.yaml", "No such file")
    refused(write(tmp_path, ""), "the whole file")


def write(folder: Path, text: str) -> Path:
    file = folder / "dapr.yaml"
    file.write_text(text)
    return file


def refused(file: Path, says: str) -> None:
    with pytest.raises(StackError) as refusal:
        DaprFile(file)
    (line,) = str(refusal.value).splitlines()
    assert line.startswith(str(file))
    assert says in line
    assert line.endswith("Correct it there.")


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", 'exec "${UV_PROJECT_ENVIRONMENT:-.venv}/bin/uvicorn" --port 8001'],
        [".venv/bin/uvicorn", "--port", "8001"],
    ],
)
def test_the_arguments_of_an_app_are_known_whatever_starts_it(
    tmp_path: Path, command: list[str]
) -> None:
    text = RUN_FILE.replace("- appID: bank\n", f"- appID: bank\n  command: {json.dumps(command)}\n")
    app = DaprFile(write(tmp_path, text)).apps["bank"]
    assert app.command == command
    assert app.arguments == ["--port", "8001"]


def test_an_app_is_started_from_the_environment_of_uv_wherever_that_is(tmp_path: Path) -> None:
    script = tmp_path / "elsewhere" / "bin" / "uvicorn"
    script.parent.mkdir(parents=True)
    script.write_text('#!/bin/sh\necho "$@"\n')
    script.chmod(0o700)
    command = APP.replace("$uvicorn", UVICORN).partition("command: ")[2]
    said = subprocess.check_output(
        yaml.safe_load(command),
        cwd=tmp_path,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(tmp_path / "elsewhere")},
        text=True,
        timeout=10,
    )
    assert said == "--factory .main:app --port\n"
