import os
import subprocess
from pathlib import Path

import pytest

from tests.template.rendering import commit, cookiecutter, snapshot


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository, with what is not committed yet, as a git repository."""
    return commit(snapshot(tmp_path_factory.mktemp("repository") / "template"))


@pytest.fixture(scope="session")
def installed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A default workspace, rendered and installed."""
    rendering = cookiecutter(template, tmp_path_factory.mktemp("installed") / "out")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    folder = rendering.output / "order-fulfilment"
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run(["make", "setup"], cwd=folder, env=environment, check=True)
    return folder
