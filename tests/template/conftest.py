from pathlib import Path

import pytest

from tests.template.rendering import cookiecutter


@pytest.fixture(scope="session")
def workspace(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with every answer left at its default. To be read, not changed."""
    rendering = cookiecutter(template, tmp_path_factory.mktemp("default") / "out")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    return rendering.output / "order-fulfilment"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"
