"""Ports in memory: `compose(memory_ports(store=store))` is a service that needs no sidecar."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chassis.callers import Authentication
from chassis.cloudevents import CloudEvent
from chassis.composing import Ports
from chassis.errors import Unavailable
from chassis.ports import (
    CLOCK,
    RANDOM,
    Broker,
    Clock,
    Engine,
    Participants,
    Random,
    Store,
    Supervisor,
)
from testkit.memory import MemoryBroker, MemoryStore


class NoParticipants:
    """Nobody answers."""

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        raise Unavailable(f"{app_id} was asked to {topic}: nobody answers in this test")

    async def close(self) -> None:
        pass


@dataclass
class MemoryWorker:
    """It keeps what is registered, and runs none of it. `failures` is what its end raises."""

    workflows: dict[str, Any] = field(default_factory=dict)
    activities: dict[str, Any] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)

    def register_workflow(self, fn: Any, /, *, name: str) -> None:
        self.workflows[name] = fn

    def register_activity(self, fn: Any, /, *, name: str) -> None:
        self.activities[name] = fn

    def start(self) -> None:
        pass

    def shutdown(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class MemoryEngine:
    """It begins every workflow and runs none. Each of its `failures` is raised by one call."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        #: Name and id of each workflow.
        self.begun: list[tuple[str, str]] = []
        #: The id of the workflow, and the name of the event.
        self.raised: list[tuple[str, str]] = []
        #: What came with each event.
        self.data: list[Any] = []
        self.workers: list[MemoryWorker] = []

    def worker(self, refused: Callable[[str], None]) -> MemoryWorker:
        self.workers.append(MemoryWorker())
        return self.workers[-1]

    def client(self) -> "MemoryEngine":
        return self

    async def schedule_new_workflow(
        self, workflow: str, /, *, input: Any, instance_id: str
    ) -> None:
        self.begun.append((workflow, instance_id))
        self._fail()

    async def raise_workflow_event(
        self, instance_id: str, event_name: str, /, *, data: Any = None
    ) -> None:
        self.raised.append((instance_id, event_name))
        self.data.append(data)
        self._fail()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class MemorySidecar:
    """One that is well, or away, and has loaded these components."""

    def __init__(
        self, *, is_well: bool = True, loaded: frozenset[str] = frozenset({"pubsub", "statestore"})
    ) -> None:
        self.is_well = is_well
        self.loaded = loaded

    async def answers(self, route: str) -> bool:
        return self.is_well

    async def components(self) -> frozenset[str]:
        return self.loaded

    async def actor_types(self) -> frozenset[str]:
        return frozenset({"dapr.internal.default.service.workflow"})

    async def shut_down(self) -> None:
        self.is_well = False

    async def close(self) -> None:
        pass


def memory_ports(
    *,
    store: Store | None = None,
    broker: Broker | None = None,
    participants: Participants | None = None,
    engine: Engine | None = None,
    sidecar: Supervisor | None = None,
    clock: Clock = CLOCK,
    random: Random = RANDOM,
    authentication: Authentication | None = None,
) -> Ports:
    """In memory is what the test does not bring."""
    return Ports(
        store=store or MemoryStore(),
        broker=broker or MemoryBroker(),
        participants=participants or NoParticipants(),
        engine=engine or MemoryEngine(),
        sidecar=sidecar or MemorySidecar(),
        clock=clock,
        random=random,
        authentication=authentication,
    )
