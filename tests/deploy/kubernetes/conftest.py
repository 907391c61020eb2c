import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.kubernetes.overlays import all_of
from tests.deploy.kubernetes.programs import program
from tests.template.rendering import commit, cookiecutter, snapshot

BROKERS = ("redis", "kafka", "rabbitmq", "snssqs", "jetstream")


@pytest.fixture(scope="session", autouse=True)
def kubectl() -> Iterator[Path]:
    """The pinned one, first on PATH: what kustomize is part of it."""
    built = program("kubectl")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PATH", f"{built.parent}{os.pathsep}{os.environ['PATH']}")
        yield built


@pytest.fixture(scope="session")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A workspace for each broker. To be read, not changed."""
    template = commit(snapshot(tmp_path_factory.mktemp("repository") / "template"))
    found = {}
    for broker in BROKERS:
        rendering = cookiecutter(template, tmp_path_factory.mktemp(broker) / "out", broker=broker)
        assert rendering.code == 0, rendering.stdout + rendering.stderr
        found[broker] = rendering.output / "order-fulfilment"
    return found


@pytest.fixture(scope="session")
def overlays(workspaces: dict[str, Path]) -> dict[str, dict[str, str]]:
    """What is sent to a cluster: by broker, and then by the name of the overlay."""
    return {broker: all_of(workspace, broker) for broker, workspace in workspaces.items()}
