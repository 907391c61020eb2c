from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.brokers.conformance import DELIVERY_SECONDS, BrokerConformance
from tests.brokers.servers.valkey import ManagedValkey, Valkey
from tests.brokers.sidecars import Bench, Probe, require_one_clear_line
from tests.waiting import wait_until


class TestRedis(BrokerConformance):
    broker = "redis"

    @classmethod
    def make_server(cls, folder: Path, workspace: Path) -> Valkey:
        return Valkey(folder, workspace)


@pytest.fixture
def managed(tmp_path: Path, installed: Path) -> Iterator[Bench]:
    """The profile, with a server behind TLS whose user has a name."""
    folder = tmp_path / "managed"
    folder.mkdir()
    server = ManagedValkey(folder, installed)
    server.start()
    yield Bench(installed, tmp_path, "redis", server.environment)
    server.stop()


def test_a_managed_server_takes_and_gives_messages(managed: Bench) -> None:
    probe = Probe(managed, "managed")
    try:
        probe.start()
        probe.publish(key="managed", number=1)
        wait_until("the message", lambda: probe.numbers() == [1], DELIVERY_SECONDS)
    finally:
        probe.stop()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SSL_CERT_DIR", "/nowhere", "certificate signed by unknown authority"),
        ("REDIS_USERNAME", "unauthorized", "WRONGPASS"),
        ("REDIS_ENABLE_TLS", "", "error decoding 'enableTLS': invalid bool"),
    ],
)
def test_a_managed_server_that_refuses_is_one_clear_line(
    managed: Bench, name: str, value: str, said: str
) -> None:
    environment = {**managed.environment, name: value}
    bench = replace(managed, environment=environment)
    require_one_clear_line(bench, "refused", f"pubsub.*{said}")
