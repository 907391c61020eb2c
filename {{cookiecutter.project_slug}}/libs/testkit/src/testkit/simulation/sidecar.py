"""What stands in for the sidecar: each call of it is an effect that waits its turn and may fail.

It finds the process that calls by the loop that runs.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from chassis.cloudevents import CloudEvent
from chassis.errors import Unavailable
from chassis.ports import Stored, Write
from testkit.simulation import faults
from testkit.simulation.faults import Fault
from testkit.simulation.process import here
from testkit.simulation.world import around

T = TypeVar("T")


class SimulatedSidecar:
    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        # Reads do not wait their turn: whoever overtakes a transaction does so before it commits.
        process, world = here(), around()
        fault = Fault.LOST if world.choices.rare() else Fault.NONE
        world.record(process.name, f"read {', '.join(keys)}", fault)
        if fault is Fault.LOST:
            raise Unavailable("read: lost")
        return world.store(process.member.app_id).read(keys)

    async def commit(self, writes: Sequence[Write]) -> None:
        world, app_id = around(), here().member.app_id
        what = f"commit {', '.join(write.key for write in writes)}"

        def happen() -> None:
            world.store(app_id).commit(writes)
            world.commits += [(app_id, write) for write in writes]
            world.sweep(app_id)

        await self._effect(what, faults.COMMIT, happen)

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        process, broker = here(), around().broker
        sent = [process.said(event) for event in events]
        about = ", ".join(event.subject for event in events)
        await self._effect(
            f"publish {topic} of {about}", faults.PUBLISH, lambda: broker.publish(topic, sent)
        )

    async def _effect(self, what: str, can_fail: Sequence[Fault], happen: Callable[[], T]) -> T:
        process = here()
        try:
            async with asyncio.timeout(process.service.settings.sidecar_timeout_seconds):
                return await process.effect(what, can_fail, happen)
        except TimeoutError as error:
            # It may happen all the same, later.
            raise Unavailable(f"{what}: DEADLINE_EXCEEDED") from error
