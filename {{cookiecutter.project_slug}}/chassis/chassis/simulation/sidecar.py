"""What stands in for the sidecar: each call of it is an effect that waits its turn and may fail.

`SimulatedSidecar` takes the place of `chassis.sidecar.Sidecar`, `SimulatedParticipants` that of
`chassis.invocation.Participants`. They find the process that calls by the loop that runs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from chassis.cloudevents import CloudEvent
from chassis.errors import Rejected, Unavailable
from chassis.ports import Stored, Write
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.simulation import faults
from chassis.simulation.faults import Fault
from chassis.simulation.process import Process, here


class SimulatedSidecar:
    def __init__(self, settings: ServiceSettings) -> None:
        self._app_id = settings.app_id

    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        # Reads do not wait their turn: whoever overtakes a transaction does so before it commits.
        world = here().world
        fault = Fault.LOST if world.choices.rare() else Fault.NONE
        world.tell(here().name, f"read {', '.join(keys)}", fault)
        if fault is Fault.LOST:
            raise Unavailable("read: lost")
        return world.store(self._app_id).read(keys)

    async def commit(self, writes: Sequence[Write]) -> None:
        store = here().world.store(self._app_id)
        what = f"commit {', '.join(write.key for write in writes)}"
        await here().effect(what, faults.COMMIT, lambda: store.commit(writes))

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        broker = here().world.broker
        about = ", ".join(event.subject for event in events)
        await here().effect(
            f"publish {topic} of {about}", faults.PUBLISH, lambda: broker.publish(topic, events)
        )

    async def close(self) -> None:
        pass


class SimulatedParticipants:
    def __init__(self, settings: ServiceSettings) -> None:
        pass

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        raw = command.on_the_wire()

        async def answer(process: Process) -> CloudEvent:
            endpoint = process.member.endpoints.get(f"/commands/{topic}")
            if endpoint is None:
                raise Rejected(f"{app_id} has no command {topic!r}")
            response = await endpoint(_request(raw))
            return CloudEvent.model_validate_json(response.body)

        what = f"{topic} of {command.subject}"
        try:
            return await here().world.ask(here(), app_id, what, answer)
        except (Rejected, Unavailable):
            raise
        except Exception as error:
            # Over HTTP, whatever else the service raises is a 5xx.
            raise Unavailable(f"{app_id} was asked to {topic}: {error!r}") from error

    async def close(self) -> None:
        pass


def is_simulated(service: Service) -> bool:
    """Whether the service talks to the simulation, and to nothing else."""
    return isinstance(service.store, SimulatedSidecar) and isinstance(
        service.broker, SimulatedSidecar
    )


def _request(body: bytes) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http"}, receive)
