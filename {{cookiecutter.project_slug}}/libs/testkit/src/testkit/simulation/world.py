"""Everything outside of the services, and what happens next in it: one step, one choice.

The services are real: handlers, API functions, inbox, processor, transactions, subscriptions,
service invocation, dead letters and workflow host. Simulated are the broker, the stores, the
workflow engine, the network and the clock.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from chassis.cloudevents import CloudEvent, envelope
from chassis.deadletters import DeadLetter, letter_id
from chassis.deadletters.pages import letter_key
from chassis.errors import Unavailable
from chassis.inbox import inbox_key
from chassis.messages import Message, topic_of
from chassis.ports import Write
from chassis.saga import Progress
from chassis.unfinished import SWEEP_SECONDS
from testkit.simulation import faults
from testkit.simulation.broker import Published, SimulatedBroker
from testkit.simulation.choices import Choices
from testkit.simulation.clock import Clock, Timer
from testkit.simulation.engine import SimulatedEngine
from testkit.simulation.faults import Fault, HttpError
from testkit.simulation.process import Member, Pending, Process, here
from testkit.simulation.sdk import Worker
from testkit.table import Table

T = TypeVar("T")

#: A step takes so long, so that what happens later has a later time.
TICK_SECONDS = 0.001
#: A client that got no answer asks again after so long, and so often.
ASK_AGAIN_SECONDS = 1.0
MAX_ASKS = 50
#: Several times more than any run needs that comes to an end.
MAX_STEPS = 1_500

#: After these a client asks again: for want of an answer, at a 5xx, or at one of somebody between.
NO_ANSWER = (Unavailable, TimeoutError, RuntimeError, HttpError)
#: For so long nothing of a topic gets through. It is more than it takes to the first sweep, so that
#: some steps are given up meanwhile.
HELD_SECONDS = 20.0

Work = Callable[[Process], Coroutine[Any, Any, T]]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a message at one of its subscribers."""

    message: Published
    service: str
    processed: bool
    dead_lettered: bool


class World:
    def __init__(
        self,
        members: Mapping[str, Sequence[Member]],
        choices: Choices,
        *,
        workflows: bool = True,
        twice: bool = True,
    ) -> None:
        self.clock = Clock()
        self.choices = choices
        #: What the simulation itself saw that must not be.
        self.violations: list[str] = []
        self.story: list[str] = []
        #: Processes with something ready to run.
        self.awake: list[Process] = []
        #: One replica of each service is of the next release.
        self.is_rolling_out = False
        #: The replicas of a service take turns; else the first one mostly does all.
        self.is_balanced = False
        self.steps = 0
        self._pending: list[Pending] = []
        #: Until when nothing of a topic gets through to a service.
        self._held: dict[tuple[str, str], float] = {}
        self._waiting_timers = 0
        self._stores = {app_id: Table(lambda: self.clock.now) for app_id in members}
        subscribers: dict[str, list[str]] = {}
        for app_id, replicas in members.items():
            for topic in replicas[0].service.subscriptions.subscribed:
                subscribers.setdefault(topic, []).append(app_id)
        #: What each service has written, in order.
        self.commits: list[tuple[str, Write]] = []
        #: The commands of service invocation, each as often as it was given.
        self.asked: list[CloudEvent] = []
        self.broker = SimulatedBroker(self, subscribers)
        #: The services of which a replica sweeps next, as each does every few seconds.
        self._sweeping: set[str] = set()
        self.engine = SimulatedEngine(self, twice=twice)
        self._workflows = workflows
        self._processes = {
            app_id: [Process(self, member, number) for number, member in enumerate(replicas)]
            for app_id, replicas in members.items()
        }
        for processes in self._processes.values():
            for process in processes:
                self._start(process)
        self._run_awake()

    # What a scenario uses.

    def pick(self, options: Sequence[T]) -> T:
        """What this run is about: the first option is the plain one."""
        return options[self.choices.data(len(options))]

    def publish(
        self, message: Message, *, id: str, topic: str | None = None, source: str = "outside"
    ) -> None:
        """A message from somebody who is not part of this."""
        event = envelope(message, id=id, source=source, traceparent=None, time=self.clock.time)
        self.broker.publish(topic or topic_of(type(message)), [event])

    def publish_raw(self, topic: str, raw: bytes) -> None:
        """Any bytes, from somebody who should know better."""
        self.broker.publish_raw(Published(topic, raw, None))

    def request(
        self,
        app_id: str,
        what: str,
        work: Work[T],
        answered: Callable[[T | Exception], None] = lambda _: None,
        asks: int = MAX_ASKS,
    ) -> None:
        """A client that asks the service's API, again and again until there is an answer."""

        def reply(result: T | Exception) -> None:
            if isinstance(result, NO_ANSWER) and asks > 1:
                again = lambda: self.request(app_id, what, work, answered, asks - 1)  # noqa: E731
                self.later(ASK_AGAIN_SECONDS, again)
            else:
                answered(result)

        self._call(None, app_id, what, work, reply)

    def hold_back(self, app_id: str, topic: str) -> None:
        """For a while nothing of this topic gets through, so other topics overtake it."""
        self._held[app_id, topic] = self.clock.now + HELD_SECONDS

    def held_back(self, app_id: str, topic: str) -> float:
        """For so many seconds more."""
        return max(0.0, self._held.get((app_id, topic), 0.0) - self.clock.now)

    def sweep(self, app_id: str) -> None:
        """One of the service's replicas sweeps, once a process of it waits for too long.

        In truth each sweeps every few seconds for ever. A sweep that has nothing to look at would
        only keep the run from coming to its end.
        """
        due = min(self._due(app_id), default=None)
        if due is None or app_id in self._sweeping:
            return
        self._sweeping.add(app_id)

        async def sweep(process: Process) -> None:
            service = process.service
            await service.sagas.unfinished.sweep(service.store, service.clock.now())

        def swept(_: object) -> None:
            self._sweeping.discard(app_id)
            self.sweep(app_id)

        self.later(
            max(SWEEP_SECONDS, (due - self.clock.time).total_seconds()),
            lambda: self._call(None, app_id, "sweep", sweep, swept),
        )

    def _due(self, app_id: str) -> Iterator[datetime]:
        """When a sweep of the service gives again what is not answered, or launches it."""
        store = self.store(app_id)
        for key in store.keys("process:"):
            progress = store.get(key, Progress)
            if progress is not None and progress.due is not None:
                yield progress.due

    def store(self, app_id: str) -> Table:
        return self._stores[app_id]

    def fates(self) -> list[Fate]:
        """Of every message that was published, by id, at each of its subscribers."""
        distinct = {
            (each.topic, each.event.id if each.event else each.raw): each
            for each in self.broker.log
        }
        return [
            self._fate(message, service)
            for message in distinct.values()
            for service in self.broker.subscribers(message.topic)
        ]

    def _fate(self, message: Published, service: str) -> Fate:
        store = self.store(service)
        processed = message.event is not None and inbox_key(message.event) in store
        letter = store.get(letter_key(letter_id(message.raw)), DeadLetter)
        dead = letter is not None and letter.kind != "retrying"
        return Fate(message, service, processed, dead)

    # What the simulated parts use.

    def wait(
        self,
        who: str,
        what: str,
        can_fail: Sequence[Fault],
        happen: Callable[[Fault], None],
        owner: Process | None = None,
    ) -> Pending:
        """It happens some time, and one of the faults may hit it."""
        pending = Pending(who, what, can_fail, happen, owner)
        self._pending.append(pending)
        return pending

    def forget(self, pending: Pending) -> None:
        """It happens as a part of something else."""
        self._pending.remove(pending)

    def later(self, delay: float, happen: Callable[[], None]) -> Timer:
        def due() -> None:
            self._waiting_timers -= 1
            happen()

        self._waiting_timers += 1
        return self.clock.at(self.clock.now + delay, due)

    def fault(self, who: str, what: str, can_fail: Sequence[Fault]) -> Fault:
        """What goes wrong here and now, mostly nothing."""
        fault = can_fail[self.choices.fault(len(can_fail))] if len(can_fail) > 1 else Fault.NONE
        self.record(who, what, fault)
        return fault

    def record(self, who: str, what: str, fault: Fault = Fault.NONE) -> None:
        mark = "" if fault is Fault.NONE else f"   <-- {fault.upper()}"
        self.story.append(f"{self.clock.now:9.3f}  {who:<14} {what}{mark}")

    def has(self, app_id: str) -> bool:
        return app_id in self._processes

    def process_of(self, app_id: str) -> Process:
        """The replica that gets what comes next."""
        processes = self._processes[app_id]
        turn = self.steps if self.is_balanced else 0
        return processes[(turn + self.choices.order(len(processes))) % len(processes)]

    def worker_of(self, app_id: str) -> Worker:
        """Raises `LookupError` if the service hosts no workflows."""
        worker = self._processes[app_id][0].worker
        if worker is None:
            raise LookupError(f"{app_id} hosts no workflows")
        return worker

    def crash(self, process: Process) -> None:
        """It is gone at once, and starts again; the outside notices."""
        self.record(process.name, "crashes, and starts again")
        self._pending = [each for each in self._pending if each.owner is not process]
        owed = list(process.owes.values())
        process.end()
        successor = Process(self, process.member, process.number)
        self._processes[process.member.app_id][process.number] = successor
        self._start(successor)
        for make_up in owed:
            make_up()

    def _start(self, process: Process) -> None:
        process.spawn(_start(process, workflows=self._workflows))

    async def ask(self, caller: Process, app_id: str, topic: str, what: str, work: Work[T]) -> T:
        """Service invocation. Raises what the service raised, `Unavailable` or `HttpError`."""
        done = caller.create_future()

        def reply(result: T | Exception) -> None:
            if done.done() or not caller.alive:
                return
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)

        self._call(caller, app_id, what, work, reply, topic)
        answer: T = await done
        return answer

    def _call(
        self,
        caller: Process | None,
        app_id: str,
        what: str,
        work: Work[T],
        reply: Callable[[T | Exception], None],
        topic: str = "",
    ) -> None:
        def arrive(fault: Fault) -> None:
            if fault is Fault.LOST:
                reply(Unavailable(f"{what}: the request was lost"))
                return
            if fault is Fault.REFUSED:
                reply(self.in_between(what))
                return
            if fault is Fault.CRASH_BEFORE and caller is not None:
                self.crash(caller)
                return
            if fault is Fault.HELD:
                self.hold_back(app_id, topic)
            if wait := self.held_back(app_id, topic):
                # Whoever does not wait any longer cannot take it back.
                self.later(wait, lambda: serve(ignored))
                reply(Unavailable(f"{what}: no answer in time"))
                return
            if fault is Fault.TWICE:
                self.wait("network", f"{what}, again", (Fault.NONE,), lambda _: serve(ignored))
            serve(reply)
            if fault is Fault.CRASH_AFTER and caller is not None:
                self.crash(caller)

        def serve(reply: Callable[[T | Exception], None]) -> None:
            process = self.process_of(app_id)
            call = object()
            process.owes[call] = lambda: reply(Unavailable(f"{what}: the connection broke"))
            process.spawn(_serve(process, call, what, work, reply))

        def ignored(_: T | Exception) -> None:
            pass

        can_fail = faults.CALL if caller is not None else faults.REQUEST
        who = caller.name if caller is not None else "client"
        self.wait(who, f"ask {app_id}: {what}", can_fail, arrive, caller)

    def in_between(self, what: str) -> HttpError:
        status = faults.IN_BETWEEN[self.steps % len(faults.IN_BETWEEN)]
        return HttpError(status, f"{what}: somebody in between says {status}")

    def run(self) -> None:
        """Until nothing can happen any more, or something has happened that must not."""
        while not self.violations and self.steps < MAX_STEPS and self._step():
            self._run_awake()
        if self.steps == MAX_STEPS:
            self.violations.append(f"the run has not settled after {MAX_STEPS} steps")

    def end(self) -> None:
        for processes in self._processes.values():
            for process in processes:
                process.end()

    def _step(self) -> bool:
        self.steps += 1
        self.clock.now += TICK_SECONDS
        pending = self._pending
        if not pending or (self._waiting_timers and self.choices.rare()):
            due = self.clock.next()
            if due is None:
                return bool(pending)
            if pending:
                wait = f"nothing else happens for {due - self.clock.now:.3f} s"
                self.record("time", wait, Fault.LATE)
            self.clock.advance()
            return True
        next_one = pending.pop(self.choices.order(len(pending)))
        next_one.happen(self.fault(next_one.who, next_one.what, next_one.faults))
        return True

    def _run_awake(self) -> None:
        while self.awake:
            self.awake.pop(0).run()


def around() -> World:
    """The world around the process whose code is running."""
    world = here().world
    assert isinstance(world, World)
    return world


async def _start(process: Process, *, workflows: bool) -> None:
    """As the service's lifespan does, less the waiting for its sidecar."""
    process.service.start()
    if workflows and process.service.hosts_workflows:
        await process.service.workflows.start()
    await process.service.subscriptions.retries.resume()


async def _serve(
    process: Process,
    call: object,
    what: str,
    work: Work[T],
    reply: Callable[[T | Exception], None],
) -> None:
    result: T | Exception
    try:
        result = await work(process)
    except Exception as error:
        result = error
    failed = f" with {result!r}" if isinstance(result, Exception) else ""
    try:
        await process.effect(f"reply to {what}{failed}", faults.REPLY, lambda: None)
    except (Unavailable, HttpError) as lost:
        result = lost
    del process.owes[call]
    reply(result)
