"""One process of a service: an event loop of its own, and whatever it has in memory.

Tasks, futures, queues and timeouts are asyncio's own. What is ours is the clock, and that the loop
only runs what is ready: whatever comes from outside waits in the world until it is chosen. A crash
is the end of the loop: nothing that its tasks would still do leaves the process.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from fastapi.routing import iter_route_contexts

from chassis.cloudevents import CloudEvent
from chassis.errors import StaleWrite, Unavailable
from chassis.service import Service
from testkit.simulation.choices import Choices
from testkit.simulation.clock import Clock, Timer
from testkit.simulation.faults import Fault, HttpError
from testkit.simulation.sdk import Worker

T = TypeVar("T")


class Member:
    """A service as `main.py` composes it, and where its sidecar would reach it.

    It is composed once and started for each process: starting is what makes its memory new.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.app_id = service.settings.app_id
        self.endpoints: dict[str, Callable[..., Any]] = {
            route.path: route.endpoint
            for route in iter_route_contexts(service.app.routes)
            if route.path is not None and route.endpoint is not None
        }


class Call:
    """A callback that is ready to run. What asyncio asks of a handle."""

    __slots__ = ("arguments", "callback", "context")

    def __init__(
        self, callback: Callable[..., Any], arguments: tuple[Any, ...], context: Context | None
    ) -> None:
        self.callback: Callable[..., Any] | None = callback
        self.arguments = arguments
        # An empty context is false.
        self.context = copy_context() if context is None else context

    def cancel(self) -> None:
        self.callback = None


@dataclass(eq=False, slots=True)
class Pending:
    """Something that can happen next."""

    who: str
    what: str
    faults: Sequence[Fault]
    happen: Callable[[Fault], None]
    #: The process that asked for it, and without which it does not happen.
    owner: "Process | None"


class Outside(Protocol):
    """The part of `World` that processes, broker and engine use: it is made of them."""

    clock: Clock
    choices: Choices
    violations: list[str]
    awake: list["Process"]
    is_rolling_out: bool

    def hold_back(self, app_id: str, topic: str) -> None: ...

    def held_back(self, app_id: str, topic: str) -> float: ...

    def wait(
        self,
        who: str,
        what: str,
        can_fail: Sequence[Fault],
        happen: Callable[[Fault], None],
        owner: "Process | None" = None,
    ) -> Pending: ...

    def forget(self, pending: Pending) -> None: ...

    def later(self, delay: float, happen: Callable[[], None]) -> Timer: ...

    def record(self, who: str, what: str, fault: Fault = Fault.NONE) -> None: ...

    def process_of(self, app_id: str) -> "Process": ...

    def crash(self, process: "Process") -> None: ...

    def in_between(self, what: str) -> HttpError: ...


class Process:
    """Duck-typed: asyncio asks far less of a running loop than `AbstractEventLoop` lists."""

    def __init__(self, world: "Outside", member: Member, number: int) -> None:
        self.world = world
        self.member = member
        self.name = f"{member.app_id}-{number + 1}"
        self.number = number
        self.alive = True
        self.worker: Worker | None = None
        #: What the outside does once it finds this process gone: deliver again, give up a call.
        self.owes: dict[object, Callable[[], None]] = {}
        #: The ids of the messages that take a handler long here.
        self.slow: set[str] = set()
        self._ready: deque[Call] = deque()
        self._is_awake = False
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def service(self) -> Service:
        return self.member.service

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        self.create_task(work)

    @property
    def is_newer(self) -> bool:
        """Whether it is of the next release: what it sends has one optional field more."""
        return self.world.is_rolling_out and self.number > 0

    def said(self, event: CloudEvent) -> CloudEvent:
        """The event as this release of the service sends it."""
        if not self.is_newer:
            return event
        return event.model_copy(update={"data": {**event.data, "more": self.name}})

    async def effect(self, what: str, faults: Sequence[Fault], happen: Callable[[], T]) -> T:
        """Something that leaves the process: it waits its turn, and one of the faults may hit it.

        Raises `Unavailable` when it did not happen, or when no reply said that it did, and
        `HttpError` when somebody in between answers.
        """
        done: asyncio.Future[T] = self.create_future()
        if self.alive:
            self.world.wait(self.name, what, faults, self._arrival(what, happen, done), self)
        return await done

    def _arrival(
        self, what: str, happen: Callable[[], T], done: "asyncio.Future[T]"
    ) -> Callable[[Fault], None]:
        def arrive(fault: Fault) -> None:
            result: T | None = None
            error: Exception | None = None
            if fault is Fault.CRASH_BEFORE:
                self.world.crash(self)
                return
            if fault is Fault.LOST:
                error = Unavailable(f"{what}: lost")
            elif fault is Fault.REFUSED:
                error = self.world.in_between(what)
            elif fault is Fault.RACE_LOST:
                error = StaleWrite(what)
            else:
                try:
                    result = happen()
                except Exception as raised:
                    error = raised
            if fault is Fault.CRASH_AFTER:
                self.world.crash(self)
                return
            if fault is Fault.REPLY_LOST:
                error = Unavailable(f"{what}: the reply was lost")
            # It may have run out of time while it waited: then it happens, and nobody learns of it.
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(cast(T, result))

        return arrive

    def crash(self) -> None:
        """Unless it has died already."""
        if self.alive:
            self.world.crash(self)

    def end(self) -> None:
        """Its tasks are cancelled, cut off from everything: only their own `finally` still runs."""
        self.alive = False
        for task in self._tasks:
            task.cancel()
        self.run()
        self._tasks.clear()
        self.owes.clear()

    def run(self) -> None:
        """Whatever is ready, and what becomes ready by that."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(cast(asyncio.AbstractEventLoop, self))
        try:
            ready = self._ready
            while ready:
                call = ready.popleft()
                if call.callback is not None:
                    call.context.run(call.callback, *call.arguments)
        finally:
            self._is_awake = False
            asyncio._set_running_loop(before)

    # What asyncio asks of a running loop.

    def call_soon(
        self, callback: Callable[..., Any], *arguments: Any, context: Context | None = None
    ) -> Call:
        call = Call(callback, arguments, context)
        if not self._is_awake:
            self._is_awake = True
            self.world.awake.append(self)
        self._ready.append(call)
        return call

    call_soon_threadsafe = call_soon

    def call_at(
        self,
        when: float,
        callback: Callable[..., Any],
        *arguments: Any,
        context: Context | None = None,
    ) -> Timer:
        def due() -> None:
            if self.alive:
                self.call_soon(callback, *arguments, context=context)

        return self.world.clock.at(when, due)

    def call_later(
        self,
        delay: float,
        callback: Callable[..., Any],
        *arguments: Any,
        context: Context | None = None,
    ) -> Timer:
        return self.call_at(self.time() + delay, callback, *arguments, context=context)

    def time(self) -> float:
        return self.world.clock.now

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=cast(asyncio.AbstractEventLoop, self))

    def create_task(self, work: Coroutine[Any, Any, T], **options: Any) -> "asyncio.Task[T]":
        task = asyncio.Task(work, loop=cast(asyncio.AbstractEventLoop, self), **options)
        self._tasks.append(task)
        return task

    def run_in_executor(
        self, _: object, function: Callable[..., T], *arguments: Any
    ) -> "asyncio.Future[T]":
        """At once: there is one thread, so that one seed makes one run."""
        done = self.create_future()
        try:
            done.set_result(function(*arguments))
        except Exception as error:
            done.set_exception(error)
        return done

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A task failed and nobody asked it why, or was still waiting when its process died."""

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return not self.alive


def here() -> Process:
    """The process whose code is running."""
    running: object = asyncio.get_running_loop()
    assert isinstance(running, Process), "this runs only inside of a simulated process"
    return running
