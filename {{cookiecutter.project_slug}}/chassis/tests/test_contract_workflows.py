"""The simulated engine keeps the contract of a workflow engine."""

from collections.abc import Iterator

import pytest

from chassis.testing.contract import WorkflowContract, WorkflowSubject
from chassis.testing.contract.stand_ins import simulated_workflows


class TestSimulatedWorkflows(WorkflowContract):
    @pytest.fixture
    def subject(self) -> Iterator[WorkflowSubject]:
        with simulated_workflows() as subject:
            yield subject
