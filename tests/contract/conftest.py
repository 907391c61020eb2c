from collections.abc import Iterator

import pytest

from tests.brokers.servers.postgresql import PostgreSQL


@pytest.fixture
def postgresql() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    server.start()
    yield server
    server.stop()
