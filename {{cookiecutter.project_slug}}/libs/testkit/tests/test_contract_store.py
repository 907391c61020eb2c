"""The stand-ins keep the contract of a store, and one that does not is found out."""

from collections.abc import Iterator

import pytest

from testkit.contract import StoreContract, StoreSubject
from testkit.contract.stand_ins import memory_store, simulated_store


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def subject(self) -> StoreSubject:
        return memory_store()


class TestSimulatedStore(StoreContract):
    @pytest.fixture
    def subject(self) -> Iterator[StoreSubject]:
        with simulated_store() as subject:
            yield subject
