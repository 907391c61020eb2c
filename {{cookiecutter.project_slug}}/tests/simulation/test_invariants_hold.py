"""SCHEDULES=20000 make simulate: as many schedules of each style as you have time for."""

import os
from functools import cache

import pytest

from testkit.simulation import Simulation, schedules
from testkit.simulation.compare import compare_under
from testkit.simulation.faults import CRASHES, Fault
from tests.simulation import fulfilment
from tests.simulation.agreement import Agreement
from tests.simulation.fulfilment import HYBRID_WORKFLOW, RUNNERS, WORKFLOWS, Runner

#: Of the first schedule. Set it in CI, so that a red build stays red.
SEED = int(os.environ.get("SEED", "0"))


@cache
def simulation(runner: Runner) -> Simulation:
    return fulfilment.simulation(runner)


@pytest.mark.parametrize("runner", RUNNERS, ids=str)
def test_nothing_is_lost_and_nothing_doubled(runner: Runner) -> None:
    print(f"{runner}: seeds from {SEED} on")
    simulation(runner).explore(schedules(120), SEED)


def test_orders_end_the_same_way_in_every_style() -> None:
    Agreement().explore(schedules(25), SEED)


def test_every_fault_is_met() -> None:
    missing = {fault.upper() for fault in set(Fault) - {Fault.NONE}}
    for seed in range(1_000):
        for runner in RUNNERS:
            story = simulation(runner).seeded(seed).story
            missing -= {line.rpartition("<-- ")[2] for line in story}
        if not missing:
            break
    assert missing == set()


@pytest.mark.parametrize("runner", RUNNERS, ids=str)
def test_services_crash_while_they_undo_a_step(runner: Runner) -> None:
    undoing = ("payment-refunded", "refund-payment", "stock-released", "release-stock")
    crashes = tuple(f"<-- {fault.upper()}" for fault in CRASHES)
    assert any(
        line.endswith(crashes) and any(words in line for words in undoing)
        for seed in range(250)
        for line in simulation(runner).seeded(seed).story
    )


def test_workflows_take_every_turn_again_whatever_the_hash_seed() -> None:
    recordings = [
        recording
        for runner in WORKFLOWS
        for seed in range(8)
        for recording in simulation(runner).seeded(seed).recordings
    ]
    assert len(recordings) > 15
    assert compare_under(1, HYBRID_WORKFLOW.services, recordings) == []
