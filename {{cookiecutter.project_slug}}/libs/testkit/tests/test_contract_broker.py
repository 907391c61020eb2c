"""The stand-ins keep the contract of a broker."""

from collections.abc import Iterator

import pytest

from testkit.contract import BrokerContract, BrokerSubject
from testkit.contract.stand_ins import memory_broker, simulated_broker


class TestMemoryBroker(BrokerContract):
    @pytest.fixture
    def subject(self) -> BrokerSubject:
        return memory_broker()


class TestSimulatedBroker(BrokerContract):
    @pytest.fixture
    def subject(self) -> Iterator[BrokerSubject]:
        with simulated_broker() as subject:
            yield subject
