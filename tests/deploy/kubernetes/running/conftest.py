import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.kubernetes.running import dapr
from tests.deploy.kubernetes.running.node import Cluster, cluster

PREPARED = "KUBERNETES_PREPARED"


@pytest.fixture(scope="session")
def prepared() -> Path:
    assert PREPARED in os.environ, "these tests are started by `make test-kubernetes`"
    return Path(os.environ[PREPARED])


@pytest.fixture(scope="session")
def running(prepared: Path, kubectl: Path) -> Iterator[Cluster]:
    """A cluster with Dapr's control plane."""
    folder = prepared / "cluster"
    folder.mkdir()
    with cluster(folder, prepared / "images.tar") as made:
        os.environ["KUBECONFIG"] = str(made.api.kubeconfig)
        dapr.install(made, prepared / "chart", prepared / "order-fulfilment")
        yield made
