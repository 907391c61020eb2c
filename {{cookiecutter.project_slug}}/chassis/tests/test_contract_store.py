"""The stand-ins keep the contract of a store, and one that does not is found out."""

from collections.abc import Iterator

import pytest

from chassis.testing.contract import StoreContract, StoreSubject
from chassis.testing.contract.stand_ins import memory_store, simulated_store


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def subject(self) -> StoreSubject:
        return memory_store()


class TestSimulatedStore(StoreContract):
    @pytest.fixture
    def subject(self) -> Iterator[StoreSubject]:
        with simulated_store() as subject:
            yield subject
