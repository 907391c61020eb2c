"""Why Redis is a broker here and never a store: its transactions are not all or nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers.servers.valkey import Valkey
from tests.stores.sidecar import Sidecar, StaleETag, sidecar

COMPONENT = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.redis
  version: v1
  metadata:
    - name: redisHost
      value: 127.0.0.1:6379
    - name: redisPassword
      value: right
"""


@pytest.fixture
def redis(tmp_path: Path, installed: Path) -> Iterator[Sidecar]:
    server = Valkey(tmp_path, installed)
    server.start()
    component = tmp_path / "statestore.yaml"
    component.write_text(COMPONENT)
    try:
        with sidecar(tmp_path, component, {}) as running:
            yield running
    finally:
        server.stop()


def test_with_a_stale_etag_the_other_writes_of_the_transaction_stay(redis: Sidecar) -> None:
    redis.transact(("upsert", "a", 1, None))
    stale = redis.etag("a")
    redis.transact(("upsert", "a", 2, stale))

    with pytest.raises(StaleETag):
        redis.transact(("upsert", "b", 1, None), ("upsert", "a", 3, stale))

    # Stock would be reserved by a message that the inbox does not know.
    assert redis.get("b") == 1
