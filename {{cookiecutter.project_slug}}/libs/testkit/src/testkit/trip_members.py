"""The services of the saga of trips, to be run beside real sidecars: see `testkit.trips`.

A workspace names them in dapr.yaml, and the `main.py` of each takes its `compose` from here.
"""

from zlib import crc32

from chassis.composing import Ports
from chassis.messages import Message
from chassis.saga import Choreography, Hybrid, Orchestration, Step
from chassis.service import Service
from chassis.settings import ServiceSettings
from testkit.simulation.sagas import Participant, Script
from testkit.trips import TRIP


class Choosy(Script):
    """Refuses every fifth, fourth and third of the processes at their first three steps."""

    def refuses(self, step: Step, command: Message) -> bool:
        # By the process alone: each replica says the same, and so does the next one of its name.
        one_in = max(1, 5 - TRIP.steps.index(step))
        return crc32(f"{command.subject} {step.name}".encode()) % one_in == 0


def initiator(ports: Ports | None = None) -> Service:
    service = Service(ServiceSettings(app_id="trips"), title="Trips", ports=ports)
    service.sagas.run(Choreography(TRIP), Orchestration(TRIP), Hybrid(TRIP))
    return service


def participant(app_id: str) -> Participant:
    return Participant(TRIP, app_id, Choosy())
