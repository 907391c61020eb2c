"""A test kit for services: what surrounds a handler, an API or a workflow, in memory."""

import pytest

from chassis.loopback import without_proxy
from testkit.harness import Harness
from testkit.memory import MemoryBroker, MemoryStore
from testkit.ports import MemoryEngine, MemorySidecar, memory_ports
from testkit.running import running
from testkit.workflows import ActivityCall, EventWait, Played, activity_failed, play

__all__ = [
    "ActivityCall",
    "EventWait",
    "Harness",
    "MemoryBroker",
    "MemoryEngine",
    "MemorySidecar",
    "MemoryStore",
    "Played",
    "activity_failed",
    "memory_ports",
    "play",
    "running",
]

# So that its assertions show their values, wherever a test class inherits it.
pytest.register_assert_rewrite("testkit.contract")


def pytest_configure() -> None:
    # What the tests run is on this machine.
    without_proxy()
