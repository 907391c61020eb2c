"""The proof of any declared saga: see `proof`."""

from testkit.simulation.sagas.participants import Participant, Script
from testkit.simulation.sagas.proof import ENDLESS, SHORT, proof

__all__ = ["ENDLESS", "SHORT", "Participant", "Script", "proof"]
