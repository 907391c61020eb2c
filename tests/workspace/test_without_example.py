"""A workspace without the example starts, passes its system tests and stops."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.template.rendering import cookiecutter


@pytest.fixture(scope="module")
def workspace(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("without") / "out"
    rendering = cookiecutter(template, output, project_name="Travel", example="none", proof="no")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    return rendering.output / "travel"


def make(workspace: Path, *tasks: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        ["make", *tasks],
        cwd=workspace,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_up_starts_the_servers_and_says_how_to_make_a_service(workspace: Path) -> None:
    try:
        said = make(workspace, "up")
    finally:
        stopped = make(workspace, "down")
    assert "dapr.yaml has no service yet: docs/process.md shows how to make one" in said
    assert "placement, scheduler" in stopped


def test_its_system_tests_pass_and_say_what_was_left_out(workspace: Path) -> None:
    said = make(workspace, "system")
    assert " passed" in said
    assert "tests/faults is not there: no fault is tested" in said
