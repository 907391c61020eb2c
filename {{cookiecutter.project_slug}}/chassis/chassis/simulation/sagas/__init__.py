"""The proof of any declared saga: see `proof`."""

from chassis.simulation.sagas.evidence import Evidence, Outcome, Process
from chassis.simulation.sagas.examples import example
from chassis.simulation.sagas.invariants import violations
from chassis.simulation.sagas.proof import ENDLESS, SHORT, proof

__all__ = ["ENDLESS", "SHORT", "Evidence", "Outcome", "Process", "example", "proof", "violations"]
