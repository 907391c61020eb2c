"""A test kit for services: what surrounds a handler, an API or a workflow, in memory."""

import pytest

from chassis.testing.harness import Harness
from chassis.testing.memory import MemoryBroker, MemoryStore
from chassis.testing.ports import MemoryEngine, MemoryJobs, MemorySidecar, memory_ports
from chassis.testing.running import running
from chassis.testing.workflows import ActivityCall, EventWait, Played, activity_failed, play

__all__ = [
    "ActivityCall",
    "EventWait",
    "Harness",
    "MemoryBroker",
    "MemoryEngine",
    "MemoryJobs",
    "MemorySidecar",
    "MemoryStore",
    "Played",
    "activity_failed",
    "memory_ports",
    "play",
    "running",
]

# So that its assertions show their values, wherever a test class inherits it.
pytest.register_assert_rewrite("chassis.testing.contract")
