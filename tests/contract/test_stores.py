"""Each store behind a real sidecar keeps the contract that the stand-ins keep."""

from pathlib import Path

import pytest

from tests.brokers.servers.postgresql import PostgreSQL
from tests.brokers.servers.valkey import Valkey
from tests.contract.profiles import COMPONENT, store
from tests.contract.running import run_live
from tests.daprd import Daprd

REDIS = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.redis
  version: v1
  metadata:
    - name: redisHost
      value: 127.0.0.1:{port}
    - name: redisPassword
      value: right
"""


def test_sqlite_keeps_the_contract(installed: Path) -> None:
    run_live(installed, "stores.py", {COMPONENT: str(store("sqlite"))})


def test_postgresql_keeps_the_contract(installed: Path, postgresql: PostgreSQL) -> None:
    environment = {COMPONENT: str(store("postgresql")), **postgresql.environment}
    run_live(installed, "stores.py", environment)


def test_redis_does_not_keep_it_and_is_no_store(installed: Path, tmp_path: Path) -> None:
    server = Valkey(tmp_path, installed)
    server.start()
    file = tmp_path / "statestore.yaml"
    file.write_text(REDIS.format(port=server.port))
    try:
        # Stock would be reserved by a message that the inbox does not know.
        broken = "test_one_stale_write_leaves_the_whole_group_unwritten"
        with pytest.raises(AssertionError, match=rf"FAILED .*{broken}[\s\S]*1 failed"):
            run_live(installed, "stores.py", {COMPONENT: str(file)}, "-k", broken)
    finally:
        server.stop()


def test_a_server_is_used_whose_certificate_an_authority_of_its_own_signed(
    installed: Path, postgresql: PostgreSQL
) -> None:
    environment = {COMPONENT: str(store("postgresql")), **postgresql.verified}
    run_live(installed, "stores.py", environment, "-k", "test_any_bytes_come_back")


def test_a_server_is_refused_whose_certificate_nobody_signed(
    tmp_path: Path, postgresql: PostgreSQL
) -> None:
    environment = {**postgresql.verified, "SSL_CERT_DIR": "/nowhere"}
    daprd = Daprd(tmp_path, "contract", [store("postgresql")], environment=environment)
    with pytest.raises(AssertionError, match="the sidecar ended"), daprd:
        pass
    assert "certificate signed by unknown authority" in daprd.log.read_text()
