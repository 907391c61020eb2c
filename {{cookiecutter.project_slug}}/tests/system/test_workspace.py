"""The workspace is up, whichever services it has: there may be none."""

import pytest

from workspace import ports
from workspace.daprfile import DaprFile


def test_placement_and_scheduler_answer(workspace: DaprFile) -> None:
    assert ports.answers(workspace.placement)
    assert ports.answers(workspace.scheduler)


@pytest.mark.parametrize("service", list(DaprFile().apps))
def test_the_sidecar_of_each_service_answers(workspace: DaprFile, service: str) -> None:
    assert ports.answers(workspace.apps[service].http_port)
