"""What stands in for the sidecar: each call of it is an effect that waits its turn and may fail.

`SimulatedSidecar` takes the place of `chassis.sidecar.Sidecar`. It finds the process that calls by
the loop that runs.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from chassis.cloudevents import CloudEvent
from chassis.errors import Unavailable
from chassis.ports import Stored, Write
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.simulation import faults
from chassis.simulation.faults import Fault
from chassis.simulation.process import here

T = TypeVar("T")


class SimulatedSidecar:
    def __init__(self, settings: ServiceSettings) -> None:
        self._app_id = settings.app_id
        self._timeout = settings.sidecar_timeout_seconds

    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        # Reads do not wait their turn: whoever overtakes a transaction does so before it commits.
        world = here().world
        fault = Fault.LOST if world.choices.rare() else Fault.NONE
        world.tell(here().name, f"read {', '.join(keys)}", fault)
        if fault is Fault.LOST:
            raise Unavailable("read: lost")
        return world.store(self._app_id).read(keys)

    async def commit(self, writes: Sequence[Write]) -> None:
        world = here().world
        what = f"commit {', '.join(write.key for write in writes)}"

        def happen() -> None:
            world.store(self._app_id).commit(writes)
            world.commits += [(self._app_id, write) for write in writes]

        await self._effect(what, faults.COMMIT, happen)

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        process = here()
        broker = process.world.broker
        sent = [process.said(event) for event in events]
        about = ", ".join(event.subject for event in events)
        await self._effect(
            f"publish {topic} of {about}", faults.PUBLISH, lambda: broker.publish(topic, sent)
        )

    async def schedule(self, name: str, every: timedelta, data: bytes) -> None:
        world = here().world
        await self._effect(
            f"schedule {name}",
            faults.SCHEDULE,
            lambda: world.schedule(self._app_id, name, every, data),
        )

    async def delete(self, name: str) -> None:
        jobs = here().world.jobs
        await self._effect(
            f"delete job {name}", faults.SCHEDULE, lambda: jobs.pop((self._app_id, name), None)
        )

    async def _effect(self, what: str, can_fail: Sequence[Fault], happen: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                return await here().effect(what, can_fail, happen)
        except TimeoutError as error:
            # It may happen all the same, later.
            raise Unavailable(f"{what}: DEADLINE_EXCEEDED") from error

    async def close(self) -> None:
        pass


def is_simulated(service: Service) -> bool:
    """Whether the service talks to the simulation, and to nothing else."""
    return isinstance(service.store, SimulatedSidecar) and isinstance(
        service.broker, SimulatedSidecar
    )
