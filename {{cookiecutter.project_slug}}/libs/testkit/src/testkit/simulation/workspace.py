"""The services of a simulation, each composed once for each of its replicas."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from chassis.cloudevents import CloudEvent
from chassis.composing import Ports
from chassis.handlers import Request, Step
from chassis.messages import Message
from chassis.service import Service
from chassis.transaction import Transaction
from testkit.ports import MemorySidecar
from testkit.quiet import quiet
from testkit.simulation import faults
from testkit.simulation.calls import SimulatedParticipants
from testkit.simulation.faults import Fault
from testkit.simulation.hosting import SimulatedHosting
from testkit.simulation.process import Member, here
from testkit.simulation.sidecar import SimulatedSidecar

#: What `main.py` has: it composes the service of the ports that it is given.
Composition = Callable[[Ports], Service]

#: Longer than a group waits for a handler, and than a delivery does.
SLOW_SECONDS = 6.0
#: Before what has failed is tried again.
CRASH_SECONDS = 0.3


class VirtualTime:
    """It is as late as the world of the running process says."""

    def now(self) -> datetime:
        return here().world.clock.time


class NoJitter:
    """How long a process pauses must follow from the seed, too."""

    def uniform(self, _: float, high: float, /) -> float:
        return high


async def run_step(step: Step, event: CloudEvent, tx: Transaction) -> tuple[Message | Request, ...]:
    """By a handler that may be slow, cancelled from within, or fail this once."""
    process = here()
    fault = faults.HANDLE[process.world.choices.fault(len(faults.HANDLE))]
    if fault is not Fault.NONE:
        process.world.record(process.name, f"handle {step.topic} of {event.subject}", fault)
    if fault is Fault.SLOW:
        process.slow.add(event.id)
    if event.id in process.slow:
        await asyncio.sleep(SLOW_SECONDS)
    if fault is Fault.CANCELLED:
        raise asyncio.CancelledError
    if fault is Fault.CRASH_SOON:
        process.world.later(CRASH_SECONDS, process.crash)
    if fault in (Fault.FAILED, Fault.CRASH_SOON):
        raise RuntimeError("nobody knows why")
    return await step.run(event, tx)


def ports() -> Ports:
    """The same for all: each of them finds the process that calls by the loop that runs."""
    sidecar = SimulatedSidecar()
    return Ports(
        store=sidecar,
        broker=sidecar,
        participants=SimulatedParticipants(),
        engine=SimulatedHosting(),
        sidecar=MemorySidecar(),
        clock=VirtualTime(),
        random=NoJitter(),
        run_step=run_step,
    )


def compose(
    compositions: Sequence[Composition], replicas: int, ports: Ports
) -> dict[str, list[Member]]:
    """Each service so many times, by app id."""
    members: dict[str, list[Member]] = {}
    with quiet():
        for composition in compositions:
            for _ in range(replicas):
                member = Member(composition(ports))
                if member.service.ports is not ports:
                    raise TypeError(
                        f"{member.app_id} is not composed of the ports that it is given"
                    )
                members.setdefault(member.app_id, []).append(member)
    return members


@contextmanager
def simulated() -> Iterator[None]:
    """While the services run."""
    before = gc.get_threshold()
    # A run leaves many cycles behind, and all at once: looking for them often is a waste.
    gc.set_threshold(100_000, *before[1:])
    try:
        with quiet():
            yield
    finally:
        gc.set_threshold(*before)
