from collections.abc import Iterator
from pathlib import Path

from tests.brokers.servers import PostgreSQL
from tests.stores.conformance import StoreConformance
from tests.stores.sidecar import Sidecar, sidecar
from tests.template.rendering import WORKSPACE


class TestPostgreSQL(StoreConformance):
    @classmethod
    def started(cls, folder: Path) -> Iterator[Sidecar]:
        server = PostgreSQL()
        server.start()
        component = WORKSPACE / "components" / "state" / "postgresql" / "statestore.yaml"
        try:
            with sidecar(folder, component, server.environment) as running:
                yield running
        finally:
            server.stop()
