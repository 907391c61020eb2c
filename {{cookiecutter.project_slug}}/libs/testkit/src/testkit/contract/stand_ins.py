"""The stand-ins as the subjects of the contract."""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from chassis.cloudevents import CloudEvent
from chassis.composing import Ports
from chassis.ports import Stored, Write
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.workflows import Workflow
from testkit.contract.broker import BrokerSubject
from testkit.contract.invocation import (
    PARTICIPANT,
    TIMEOUT_SECONDS,
    InvocationSubject,
    participant,
)
from testkit.contract.store import StoreSubject
from testkit.contract.workflows import End, WorkflowSubject, workflows
from testkit.memory import MemoryBroker, MemoryStore
from testkit.simulation.choices import Choices
from testkit.simulation.process import Process
from testkit.simulation.workspace import Composition, compose, ports, simulated
from testkit.simulation.world import World

T = TypeVar("T")

APP_ID = "contract"


def memory_broker(broker: MemoryBroker | None = None) -> BrokerSubject:
    broker = broker or MemoryBroker()
    return BrokerSubject(broker, "note", lambda: broker.published["note"])


@contextmanager
def simulated_broker() -> Iterator[BrokerSubject]:
    with simulation(bare) as playing:
        log = playing.world.broker.log

        def arrived() -> list[CloudEvent]:
            return [CloudEvent.model_validate_json(each.raw) for each in log]

        yield BrokerSubject(SimulatedBroker(playing), "note", arrived)


@contextmanager
def simulated_workflows() -> Iterator[WorkflowSubject]:
    def hosting(ports: Ports) -> Service:
        service = bare(ports)
        service.host(workflows)
        return service

    with simulation(hosting) as playing:
        engine = playing.world.engine

        async def end_of(id: str) -> End | None:
            action = engine.instances[APP_ID, id].end
            assert action is not None, f"{id} has not ended"
            return End.model_validate_json(action.content) if action.content else None

        async def purge(id: str) -> None:
            engine.purge(APP_ID, id)

        yield WorkflowSubject(SimulatedHost(playing), end_of, purge)


@contextmanager
def simulated_invocation() -> Iterator[InvocationSubject]:
    def asked(ports: Ports) -> Service:
        settings = ServiceSettings(app_id=PARTICIPANT, handler_timeout_seconds=TIMEOUT_SECONDS)
        return participant(settings, ports)

    with simulation(bare, asked) as playing:
        yield InvocationSubject(SimulatedCaller(playing))


def memory_store() -> StoreSubject:
    clock = Clock()
    store = MemoryStore(lambda: clock.now)
    return StoreSubject(store, store, clock.pass_time)


@contextmanager
def simulated_store() -> Iterator[StoreSubject]:
    with simulation(bare) as playing:
        store = SimulatedStore(playing)
        yield StoreSubject(store, store, playing.pass_time)


@dataclass
class Clock:
    now: float = 0.0

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds


class Playing:
    """A world without faults, in which one call after the other is made."""

    def __init__(self, world: World) -> None:
        self.world = world

    def call(self, work: Callable[[Process], Coroutine[Any, Any, T]]) -> T:
        """What comes of it in a process of the service, once nothing happens any more."""
        results: list[T | Exception] = []
        self.world.request(APP_ID, "a call", work, results.append, asks=1)
        self.world.run()
        (result,) = results
        if isinstance(result, Exception):
            raise result
        return result

    async def pass_time(self, seconds: float) -> None:
        self.world.later(seconds, lambda: None)
        self.world.run()


def bare(ports: Ports) -> Service:
    return Service(ServiceSettings(app_id=APP_ID), title="Contract", ports=ports)


@contextmanager
def simulation(*compositions: Composition) -> Iterator[Playing]:
    with simulated():
        world = World(compose(compositions, 2, ports()), Choices())
        try:
            yield Playing(world)
        finally:
            world.end()


class SimulatedStore:
    """What a simulated service has for a store, called from outside of the simulation."""

    def __init__(self, playing: Playing) -> None:
        self._playing = playing

    async def read(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        return self._playing.call(lambda process: process.service.store.read(keys))

    async def commit(self, writes: Sequence[Write]) -> None:
        self._playing.call(lambda process: process.service.store.commit(writes))


class SimulatedBroker:
    """The same for its broker."""

    def __init__(self, playing: Playing) -> None:
        self._playing = playing

    async def publish(self, topic: str, events: Sequence[CloudEvent]) -> None:
        self._playing.call(lambda process: process.service.broker.publish(topic, events))


class SimulatedCaller:
    """The same for its participants."""

    def __init__(self, playing: Playing) -> None:
        self._playing = playing

    async def ask(self, app_id: str, command: CloudEvent, topic: str) -> CloudEvent:
        return self._playing.call(
            lambda process: process.service.participants.ask(app_id, command, topic)
        )


class SimulatedHost:
    """The same for its workflows."""

    def __init__(self, playing: Playing) -> None:
        self._playing = playing

    async def begin(self, workflow: Workflow[Any, Any], instance_id: str, start: BaseModel) -> None:
        self._playing.call(
            lambda process: process.service.workflows.begin(workflow, instance_id, start)
        )

    async def raise_event(self, event: CloudEvent) -> None:
        self._playing.call(lambda process: process.service.workflows.raise_event(event))
