"""The proof of any declared saga: see `proof`."""

from testkit.simulation.sagas.evidence import Evidence, Outcome, Process
from testkit.simulation.sagas.examples import example
from testkit.simulation.sagas.invariants import violations
from testkit.simulation.sagas.proof import ENDLESS, SHORT, proof

__all__ = ["ENDLESS", "SHORT", "Evidence", "Outcome", "Process", "example", "proof", "violations"]
