"""The default workspace passes its own checks and its own tests, as AGENTS.md says."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.template.console import commands_of
from tests.template.rendering import WORKSPACE, commit, cookiecutter, git

#: What an agent is asked to run, in this order: all checks and all tests.
COMMANDS = [
    command.line
    for block in commands_of((WORKSPACE / "AGENTS.md").read_text())
    for command in block
]


def environment() -> dict[str, str]:
    # The workspace makes an environment of its own, whichever one these tests run in.
    found = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    # The same schedules each time: what is red stays red until it is mended.
    return found | {"SEED": "0"}


@pytest.fixture(scope="module")
def fresh(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rendering = cookiecutter(template, tmp_path_factory.mktemp("fresh") / "out")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    workspace = rendering.output / "order-fulfilment"
    subprocess.run(["make", "setup"], cwd=workspace, env=environment(), timeout=600, check=True)
    return commit(workspace)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_for_agents_passes(
    command: str, fresh: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Minutes: what it does is shown while it does it.
    with capfd.disabled():
        print(flush=True)
        line = ["bash", "-c", command]
        subprocess.run(line, cwd=fresh, env=environment(), timeout=1200, check=True)
    assert git(fresh, "status", "--porcelain") == ""


def test_they_are_all_of_make_test_and_make_check() -> None:
    makefile = (WORKSPACE / "Makefile").read_text()
    (tasks,) = re.findall(r"^test: (.*?)  ##", makefile, re.MULTILINE)
    assert {"make check", *(f"make {task}" for task in tasks.split())} <= {*COMMANDS}
