"""Workflows in flight survive the next release: the code still fits what was recorded before.

If one of these fails, what is in flight breaks when this code is deployed. Give the new way a name
of its own and leave the old one until its last instance has ended; `make histories` then records
again.
"""

from pathlib import Path

import pytest

from chassis.simulation.compare import compare_under
from chassis.simulation.histories import load, steps
from orders.domain import Style
from simulation.fulfilment import SERVICES, simulation
from simulation.record import HISTORIES

FILES = sorted(HISTORIES.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_code_still_takes_each_turn_as_it_was_recorded(file: Path) -> None:
    assert simulation(Style.HYBRID).compare(load(file.read_text())) == []


def test_both_workflows_were_recorded_and_do_not_depend_on_the_hash_seed() -> None:
    recordings = [recording for file in FILES for recording in load(file.read_text())]
    asked = {step for recording in recordings for step in steps(recording)}
    assert {"ask_participant", "send_command"} <= asked
    assert compare_under(1, SERVICES, recordings) == []
