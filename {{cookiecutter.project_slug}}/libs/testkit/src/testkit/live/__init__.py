"""What `faults` and `demo` need of a workspace that runs: its sagas, and how to begin processes."""

from testkit.live.declared import Declared, declared
from testkit.live.door import Away, Door, Examples, Plan, door_of

__all__ = ["Away", "Declared", "Door", "Examples", "Plan", "declared", "door_of"]
