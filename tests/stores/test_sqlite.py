from collections.abc import Iterator
from pathlib import Path

from tests.stores.conformance import StoreConformance
from tests.stores.sidecar import Sidecar, sidecar
from tests.template.rendering import WORKSPACE


class TestSQLite(StoreConformance):
    @classmethod
    def started(cls, folder: Path) -> Iterator[Sidecar]:
        component = WORKSPACE / "components" / "state" / "sqlite" / "statestore.yaml"
        with sidecar(folder, component, {}) as running:
            yield running
