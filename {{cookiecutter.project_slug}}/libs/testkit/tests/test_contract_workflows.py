"""The simulated engine keeps the contract of a workflow engine."""

from collections.abc import Iterator

import pytest

from testkit.contract import WorkflowContract, WorkflowSubject
from testkit.contract.stand_ins import simulated_workflows


class TestSimulatedWorkflows(WorkflowContract):
    @pytest.fixture
    def subject(self) -> Iterator[WorkflowSubject]:
        with simulated_workflows() as subject:
            yield subject
