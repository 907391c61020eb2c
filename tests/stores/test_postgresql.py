from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers.servers import PostgreSQL
from tests.stores.conformance import StoreConformance
from tests.stores.sidecar import Sidecar, sidecar
from tests.template.rendering import WORKSPACE

COMPONENT = WORKSPACE / "components" / "state" / "postgresql" / "statestore.yaml"


class TestPostgreSQL(StoreConformance):
    @classmethod
    def started(cls, folder: Path) -> Iterator[Sidecar]:
        server = PostgreSQL()
        server.start()
        try:
            with sidecar(folder, COMPONENT, server.environment) as running:
                yield running
        finally:
            server.stop()


def test_a_server_is_used_whose_certificate_an_authority_of_its_own_signed(tmp_path: Path) -> None:
    server = PostgreSQL()
    server.start()
    try:
        with sidecar(tmp_path, COMPONENT, server.verified) as running:
            running.transact(("upsert", "key", 1, None))
            assert running.get("key") == 1
    finally:
        server.stop()


def test_a_server_is_refused_whose_certificate_nobody_signed(tmp_path: Path) -> None:
    server = PostgreSQL()
    server.start()
    try:
        environment = {**server.verified, "SSL_CERT_DIR": "/nowhere"}
        with (
            pytest.raises(AssertionError, match="the sidecar ended"),
            sidecar(tmp_path, COMPONENT, environment),
        ):
            pass
    finally:
        server.stop()
    assert "certificate signed by unknown authority" in (tmp_path / "daprd.log").read_text()
