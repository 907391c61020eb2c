"""What a store must do for the promise of one commit point, written once and inherited."""

import itertools
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.stores.sidecar import Sidecar, StaleETag

WRITERS = 100
LARGE = 1_000_000


class StoreConformance:
    """Subclasses give the component file, and start what it needs."""

    @pytest.fixture(scope="class")
    @classmethod
    def sidecar(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
        folder = tmp_path_factory.mktemp(cls.__name__.lower())
        yield from cls.started(folder)

    @classmethod
    def started(cls, folder: Path) -> Iterator[Sidecar]:
        raise NotImplementedError

    @pytest.fixture
    def key(self) -> str:
        return f"key-{uuid.uuid4().hex}"

    def test_a_transaction_with_one_stale_etag_writes_nothing(
        self, sidecar: Sidecar, key: str
    ) -> None:
        sidecar.transact(("upsert", f"{key}-a", 1, None))
        stale = sidecar.etag(f"{key}-a")
        sidecar.transact(("upsert", f"{key}-a", 2, stale))

        with pytest.raises(StaleETag):
            sidecar.transact(
                ("upsert", f"{key}-b", 1, None),
                ("upsert", f"{key}-a", 3, stale),
                ("upsert", f"{key}-c", 1, None),
            )

        assert sidecar.get(f"{key}-a") == 2
        assert sidecar.get(f"{key}-b") is None
        assert sidecar.get(f"{key}-c") is None

    def test_of_two_first_writes_one_wins(self, sidecar: Sidecar, key: str) -> None:
        def write(value: int) -> bool:
            try:
                sidecar.transact(("upsert", key, value, None))
            except StaleETag:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            won = list(threads.map(write, range(8)))

        assert won.count(True) == 1
        assert sidecar.get(key) == won.index(True)

    def test_a_large_value_comes_back_whole(self, sidecar: Sidecar, key: str) -> None:
        sidecar.transact(("upsert", key, "x" * LARGE, None))

        assert sidecar.get(key) == "x" * LARGE

    def test_a_hundred_writers_of_one_key_lose_no_update(self, sidecar: Sidecar, key: str) -> None:
        sidecar.transact(("upsert", key, 0, None))

        def increment(_: int) -> None:
            for _attempt in itertools.count():
                value, etag = sidecar.read(key)
                try:
                    sidecar.transact(("upsert", key, value + 1, etag))
                except StaleETag:
                    continue
                return

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(increment, range(WRITERS)))

        assert sidecar.get(key) == WRITERS

    def test_a_delete_with_a_stale_etag_deletes_nothing(self, sidecar: Sidecar, key: str) -> None:
        sidecar.transact(("upsert", key, 1, None))
        stale = sidecar.etag(key)
        sidecar.transact(("upsert", key, 2, stale))

        with pytest.raises(StaleETag):
            sidecar.transact(("delete", key, None, stale))

        assert sidecar.get(key) == 2
