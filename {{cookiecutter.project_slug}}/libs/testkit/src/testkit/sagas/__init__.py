"""What holds of any saga: its invariants, and the evidence that they are judged by."""

from testkit.sagas.evidence import Evidence, Message, Outcome, Process, Sent
from testkit.sagas.examples import example
from testkit.sagas.invariants import violations

__all__ = ["Evidence", "Message", "Outcome", "Process", "Sent", "example", "violations"]
