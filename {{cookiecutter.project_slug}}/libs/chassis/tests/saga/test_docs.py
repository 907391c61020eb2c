"""The code in docs/sagas.md runs, with the messages of the made-up trips."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

import chassis
from chassis import saga
from chassis.saga import Saga, Step
from testkit import memory_ports, trips

PAGE = next(
    page for folder in Path(__file__).parents if (page := folder / "docs/sagas.md").is_file()
).read_text()


def test_each_block_of_code_in_the_page_runs() -> None:
    names: dict[str, Any] = {
        **vars(chassis),
        **vars(saga),
        **vars(trips),
        "router": APIRouter(route_class=chassis.ClientRoute),
    }
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(block, names)
    assert names["TRIP"].steps[1:] == trips.TRIP.steps[1:4]
    assert len(names["compose"](memory_ports()).sagas.runners) == 3
    assert len(names["router"].routes) == 2


def test_the_page_says_how_a_declaration_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot run") as refused:
        Saga(
            started_by=trips.TripRequested,
            steps=[Step(trips.HireGuide, at="guides"), Step(trips.PayTrip, at="billing")],
            completed=trips.TripBooked,
            cancelled=trips.TripCancelled,
        )
    assert str(refused.value) in " ".join(PAGE.split())
