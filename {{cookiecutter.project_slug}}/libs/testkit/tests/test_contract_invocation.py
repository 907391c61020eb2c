"""The simulated network keeps the contract of service invocation."""

from collections.abc import Iterator

import pytest

from testkit.contract import InvocationContract, InvocationSubject
from testkit.contract.stand_ins import simulated_invocation


class TestSimulatedInvocation(InvocationContract):
    @pytest.fixture
    def subject(self) -> Iterator[InvocationSubject]:
        with simulated_invocation() as subject:
            yield subject
