import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.machine import ROOT, Machine
from tests.runtime.mirror import Mirror


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror()
    yield mirror
    mirror.close()


@pytest.fixture
def machine(tmp_path: Path, mirror: Mirror) -> Machine:
    """A machine without Dapr and without Go, whose releases are the mirror's."""
    return Machine(tmp_path, mirror.address)


@pytest.fixture
def repository(machine: Machine, tmp_path: Path) -> Machine:
    """The same with a copy of this repository's runtime, to write checksums to."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "runtime", folder / "runtime")
    machine.root = folder
    return machine


@pytest.fixture
def offline(tmp_path: Path) -> Machine:
    """A machine without Dapr and without Go, to which no server answers."""
    return Machine(tmp_path, "http://127.0.0.1:9")
