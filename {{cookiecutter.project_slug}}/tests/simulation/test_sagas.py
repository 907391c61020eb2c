"""Every saga of the workspace, with participants that are made from its declaration.

How the real participants decide is tested with plans of their own: see test_invariants_hold.py.
"""

import os

import pytest

from chassis.saga import Choreography, Hybrid, HybridWorkflow, Orchestration, Saga
from testkit.simulation import schedules
from testkit.simulation.sagas import ENDLESS, SHORT, proof
from workspace import members

SEED = int(os.environ.get("SEED", "0"))

SAGAS = list(
    {
        runner.saga.name: runner.saga
        for service in members.services()
        for runner in service.sagas.runners
    }.values()
)

each_saga = pytest.mark.parametrize("saga", SAGAS, ids=lambda saga: saga.name)


@each_saga
@pytest.mark.parametrize("runner", [Choreography, Orchestration, Hybrid, HybridWorkflow])
def test_whatever_fails_the_invariants_of_a_saga_hold(runner: type, saga: Saga) -> None:
    print(f"seed {SEED}")
    proof(runner, saga, ENDLESS).explore(schedules(20), SEED)


@each_saga
@pytest.mark.parametrize("runner", [Orchestration, Hybrid, HybridWorkflow])
def test_they_hold_though_steps_are_given_up(runner: type, saga: Saga) -> None:
    print(f"seed {SEED}")
    proof(runner, saga, SHORT).explore(schedules(20), SEED)
