from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.brokers.servers.postgresql import PostgreSQL
from tests.stores.conformance import StoreConformance
from tests.stores.sidecar import Sidecar, sidecar
from tests.template.rendering import WORKSPACE

COMPONENT = WORKSPACE / "components" / "state" / "postgresql" / "statestore.yaml"


@contextmanager
def serving() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    server.start()
    try:
        yield server
    finally:
        server.stop()


class TestPostgreSQL(StoreConformance):
    @classmethod
    def started(cls, folder: Path) -> Iterator[Sidecar]:
        with serving() as server, sidecar(folder, COMPONENT, server.environment) as running:
            yield running


def test_a_server_is_used_whose_certificate_an_authority_of_its_own_signed(tmp_path: Path) -> None:
    with serving() as server, sidecar(tmp_path, COMPONENT, server.verified) as running:
        running.transact(("upsert", "key", 1, None))
        assert running.get("key") == 1


def test_a_server_is_refused_whose_certificate_nobody_signed(tmp_path: Path) -> None:
    with (
        serving() as server,
        pytest.raises(AssertionError, match="the sidecar ended"),
        sidecar(tmp_path, COMPONENT, {**server.verified, "SSL_CERT_DIR": "/nowhere"}),
    ):
        pass
    assert "certificate signed by unknown authority" in (tmp_path / "daprd.log").read_text()
