"""The services of a simulation, composed once, and the names that their chassis sees meanwhile."""

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime, tzinfo
from importlib.util import find_spec, module_from_spec
from typing import Any
from unittest.mock import patch

from chassis.cloudevents import CloudEvent
from chassis.handlers import Request, Step
from chassis.messages import Message
from chassis.service import Service
from chassis.simulation import faults
from chassis.simulation.calls import SimulatedParticipants
from chassis.simulation.faults import Fault
from chassis.simulation.hosting import SimulatedClient, SimulatedRuntime
from chassis.simulation.process import Member, Process, here
from chassis.simulation.sidecar import SimulatedSidecar, is_simulated
from chassis.transaction import Transaction

#: A function that composes a service, or the module that does: "orders.main".
Composition = Callable[[], Service] | str


#: Longer than a group waits for a handler, and than a delivery does.
SLOW_SECONDS = 6.0
#: Before what has failed is tried again.
CRASH_SECONDS = 0.3

Outcomes = tuple[Message | Request, ...]
RunStep = Callable[[Step, CloudEvent, Transaction], Coroutine[Any, Any, Outcomes]]


class VirtualDatetime(datetime):
    """Inside of a simulated process it is as late as the world says."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        running: object = asyncio._get_running_loop()
        return running.world.clock.time if isinstance(running, Process) else datetime.now(tz)


class NoJitter:
    """In the place of `random`: how long a process pauses must follow from the seed, too."""

    @staticmethod
    def uniform(_: float, high: float) -> float:
        return high


def with_faults(run: RunStep) -> RunStep:
    """A `Step.run` of handlers that may be slow, cancelled from within, or fail this once."""

    async def run_step(step: Step, event: CloudEvent, tx: Transaction) -> Outcomes:
        process = here()
        fault = faults.HANDLE[process.world.choices.fault(len(faults.HANDLE))]
        if fault is not Fault.NONE:
            process.world.tell(process.name, f"handle {step.topic} of {event.subject}", fault)
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
        return await run(step, event, tx)

    return run_step


def compose(compositions: Sequence[Composition], replicas: int) -> dict[str, list[Member]]:
    """Each service so many times, by app id; `main.py` runs again for each."""
    members: dict[str, list[Member]] = {}
    with (
        quiet(),
        patch("chassis.service.Sidecar", SimulatedSidecar),
        patch("chassis.service.Participants", SimulatedParticipants),
    ):
        for composition in compositions:
            for _ in range(replicas):
                member = Member(_compose(composition))
                if not is_simulated(member.service):
                    raise TypeError(f"{member.app_id} brings a store or a broker of its own")
                members.setdefault(member.app_id, []).append(member)
    return members


def _compose(composition: Composition) -> Service:
    if isinstance(composition, str):
        # Not `import_module`: each replica is composed anew, and the first one may exist already.
        spec = find_spec(composition)
        if spec is None or spec.loader is None:
            raise LookupError(f"there is no module {composition}")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        service = module.service
        assert isinstance(service, Service), f"{composition}:service is no Service"
        return service
    return composition()


@contextmanager
def simulated() -> Iterator[None]:
    """While the services run: the SDK, the time and the dice are those of the simulation."""
    with ExitStack() as stack:
        stack.enter_context(quiet())
        stack.enter_context(patch("chassis.workflow_host.WorkflowRuntime", SimulatedRuntime))
        stack.enter_context(patch("chassis.workflow_host.DaprWorkflowClient", SimulatedClient))
        for module in ("processor", "deadletters.retries"):
            stack.enter_context(patch(f"chassis.{module}.random", NoJitter))
        stack.enter_context(patch.object(Step, "run", with_faults(Step.run)))
        # A tenth of the time, and nobody looks at the traces.
        stack.enter_context(patch("chassis.inbox.consuming", lambda *_: nullcontext()))
        modules = ("cloudevents", "transaction", "timers", "deadletters.letter", "deadletters.kept")
        for module in (*modules, "deadletters.retries"):
            stack.enter_context(patch(f"chassis.{module}.datetime", VirtualDatetime))
        # A run leaves many cycles behind, and all at once: looking for them often is a waste.
        before = gc.get_threshold()
        stack.callback(gc.set_threshold, *before)
        gc.set_threshold(100_000, *before[1:])
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Without logs: thousands of runs, most of them about failures."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
