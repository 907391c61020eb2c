"""The default workspace passes its own checks and its own tests, on the real system."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.template.rendering import commit, cookiecutter, git


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


@pytest.mark.parametrize("task", ["check", "test"])
def test_make(task: str, fresh: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # Minutes: what it does is shown while it does it.
    with capfd.disabled():
        print(flush=True)
        subprocess.run(["make", task], cwd=fresh, env=environment(), timeout=1200, check=True)
    assert git(fresh, "status", "--porcelain") == ""
