"""The whole workspace on real sidecars, started once for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.system.collector import Collector
from workspace import stack
from workspace.daprfile import DaprFile


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="session")
def workspace(collector: Collector) -> Iterator[DaprFile]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        # Not `running()`: services that are up already send their spans elsewhere.
        stack.up()
        try:
            yield DaprFile()
        finally:
            stack.down()
