"""A FastAPI app beside its sidecar: the parts of the chassis, composed and kept alive."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from fastapi import FastAPI

from chassis import health, metrics
from chassis.bodies import Bodies
from chassis.cloudevents import envelope
from chassis.composing import Ports, beside_sidecar
from chassis.content import exactly
from chassis.deadletters import KeptLetters
from chassis.deadletters import api as deadletters
from chassis.errors import Rejected, Unavailable, UsedBefore
from chassis.guard import check_routes
from chassis.handlers import Handlers, Step, by_type, read
from chassis.inbox import Destination, Inbox, to_its_topic, to_the_caller
from chassis.invocation import answer
from chassis.logs import configure_logging
from chassis.messages import Message
from chassis.problems import use_problem_details
from chassis.processor import Processor
from chassis.saga import api as processes
from chassis.saga.sagas import Sagas
from chassis.settings import ServiceSettings
from chassis.subscriptions import Subscriptions, Then
from chassis.telemetry import FASTAPI_TELEMETRY, configure_tracing, traceparent
from chassis.transaction import adapter
from chassis.watchdog import watch
from chassis.workflow_host import WorkflowHost
from chassis.workflows import Workflows

T = TypeVar("T")

log = logging.getLogger(__name__)


class Service:
    """What `main.py` composes; `app` is what uvicorn serves."""

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        title: str,
        version: str = "1",
        ports: Ports | None = None,
    ) -> None:
        """The sidecar of the settings is all of the ports, except in a test with its own."""
        configure_logging(settings.app_id, settings.log_level)
        configure_tracing(settings.app_id)
        self.settings = settings
        self.ports = ports = ports or beside_sidecar(settings)
        self.store, self.broker, self.clock = ports.store, ports.broker, ports.clock
        self.participants = ports.participants
        self._inbox = Inbox(
            settings.app_id,
            settings.inbox_ttl_seconds,
            max_event_bytes=settings.max_body_bytes,
            run_step=ports.run_step,
        )
        self.processor = self._new_processor()
        # Of their own: what fails is kept without a wait for what is slow, and races for the list
        # of letters run no handler again.
        self._letters = self._new_processor()
        self._host: WorkflowHost | None = None
        #: All that reads messages from outside, and what is published besides its outcomes.
        self.steps: list[Step] = []
        #: Those of choreography.
        self.reactions: list[Step] = []
        #: Commands that come in over service invocation, and over pub/sub.
        self.answered: list[Handlers] = []
        self.consumed: list[Handlers] = []
        self.workflow_sets: tuple[Workflows, ...] = ()
        self.published: tuple[type[Message], ...] = ()
        #: What its API reads from the records of requests, by type.
        self.recorded: Mapping[str, type[Message]] = {}

        self.app = FastAPI(
            title=title,
            version=version,
            lifespan=self._lifespan,
            # A redirect names http:// behind a proxy that ends TLS, and a body goes there, too.
            redirect_slashes=False,
            telemetry=FASTAPI_TELEMETRY,
            max_body_size=settings.max_body_bytes,
        )
        self.app.add_middleware(Bodies, max_body_bytes=settings.max_body_bytes)
        self.app.state.service = self
        self.dead_letters = KeptLetters(self._inbox, self.store, self._letters, self.clock)
        self.subscriptions = Subscriptions(
            self.app, settings, self.processor, self.dead_letters, self.clock, ports.random
        )
        use_problem_details(self.app)
        health.add_routes(self.app, settings, ports.sidecar, self._alive)
        self.sagas = Sagas(self)
        deadletters.add_routes(self.app, self.dead_letters, self.subscriptions.handle)
        metrics.add_routes(self.app)

    def _new_processor(self) -> Processor:
        return Processor(
            self.store,
            self.broker,
            self._inbox,
            handler_timeout=self.settings.handler_timeout_seconds,
            clock=self.clock,
            random=self.ports.random,
        )

    def start(self) -> None:
        """Begin to bring messages to their effect."""
        self.processor.start()
        self._letters.start()

    def subscribe(self, events: Handlers) -> None:
        """Choreography: events in, and the outcomes out as events for whoever listens."""
        self.subscriptions.add(events, to_its_topic)
        self.steps += events
        self.reactions += events

    def consume(self, commands: Handlers) -> None:
        """Hybrid: commands in over pub/sub, and each outcome back to the topic that it asks for."""
        self.subscriptions.add(commands, destination=None)
        self.steps += commands
        self.consumed.append(commands)
        self._guard(commands)

    def answer(self, commands: Handlers) -> None:
        """Orchestration: commands in over service invocation, and the outcome as the response."""
        answer(self.app, commands, self.processor)
        self.steps += commands
        self.answered.append(commands)
        self._guard(commands)

    def _guard(self, commands: Handlers) -> None:
        commands.check_barriers()
        if commands not in self._inbox.commands:
            self._inbox.commands.append(commands)

    def host(self, *workflows: Workflows) -> None:
        """Run workflows here."""
        new = [each for each in workflows if each not in self.workflow_sets]
        self.workflow_sets += tuple(new)
        if self._host is None:
            self._host = WorkflowHost(self.settings, self.ports.engine, self)
        self._host.add(*new)

    def await_replies(
        self, replies: Handlers, destination: Destination | None, then: Then | None = None
    ) -> None:
        """Replies in, to commands that this service sends over pub/sub."""
        self.subscriptions.add(replies, destination, then, are_replies=True)
        self.steps += replies

    def publishes(self, *messages: type[Message]) -> None:
        """Name what this service publishes although no handler returns it."""
        self.published += messages

    def show_processes(self) -> None:
        """For operators: what of its processes has not ended, and what one of them waits for."""
        sagas = self.sagas
        processes.add_routes(
            self.app, sagas.unfinished, self.store, self.clock, sagas.summary, sagas.process
        )

    def records(self, *messages: type[Message]) -> None:
        """Name what `take` gives back, in each version: its record outlives releases."""
        self.recorded = by_type(*messages)

    @property
    def commands(self) -> Sequence[Handlers]:
        """What it answers in either way."""
        return self._inbox.commands

    @property
    def hosts_workflows(self) -> bool:
        return self._host is not None

    @property
    def workflows(self) -> WorkflowHost:
        """Raises `LookupError` in a service that hosts none."""
        if self._host is None:
            raise LookupError("this service hosts no workflows: call service.host() in main.py")
        return self._host

    async def look_up(self, key: str, kind: type[T]) -> T | None:
        """The committed value under the key. Raises `Unavailable`."""
        stored = (await self.store.read([key]))[key]
        return None if stored.value is None else adapter(kind).validate_json(stored.value)

    async def take(self, request: Message, step: Step, id: str) -> tuple[Message, ...]:
        """Bring a request of the HTTP API to its effect, once for each id, like any message.

        `id` is derived from the client's Idempotency-Key. Raises `Rejected` when that key was used
        before, for another request, and `Unavailable` for a record of a version that this release
        does not know: another one has written it, and can read it.
        """
        event = envelope(
            request,
            id=id,
            source=self.settings.app_id,
            traceparent=traceparent(),
            time=self.clock.now(),
        )
        # What the client left out is not what it said: a default may be another one next time.
        said = request.model_dump(mode="json", exclude_unset=True)
        event = event.model_copy(update={"data": exactly(said)})
        try:
            outcomes = await self.processor.process(event, step, to_the_caller, lasts=True)
        except UsedBefore as error:
            # The client knows its key, not the id that was made of it.
            raise Rejected(
                "this Idempotency-Key was used before, for another request: send a new key"
            ) from error
        try:
            return tuple(read(outcome, self.recorded) for outcome in outcomes)
        except Rejected as error:
            raise Unavailable(
                f"{error}: service.records() in main.py names each version"
            ) from error

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        check_routes(app)
        if self.ports.authentication is None:
            log.warning(
                "anyone may call the API of %s: OIDC_ISSUER and OIDC_AUDIENCE are not set",
                self.settings.app_id,
            )
        self.start()
        # What is loaded by now stays: to look through it for garbage again and again would take a
        # quarter of what a message costs.
        gc.collect()
        gc.freeze()
        # In the background: the sidecar asks this app for its subscriptions while it starts itself.
        background = [
            asyncio.create_task(self._start_workflows()),
            asyncio.create_task(self.subscriptions.retries.watch()),
        ]
        if self.sagas.runners:
            background.append(
                asyncio.create_task(self.sagas.unfinished.watch(self.store, self.clock))
            )
        async with AsyncExitStack() as stopping:
            # The last one is called first, and each of them whatever the others raise.
            stopping.push_async_callback(self.ports.sidecar.close)
            stopping.push_async_callback(self.participants.close)
            stopping.push_async_callback(self._letters.stop)
            stopping.push_async_callback(self.processor.stop)
            stopping.push_async_callback(self.subscriptions.retries.stop)
            if self._host is not None:
                stopping.push_async_callback(self._host.stop)
            for task in background:
                stopping.callback(task.cancel)
            yield

    async def _start_workflows(self) -> None:
        if self._host is None:
            return
        try:
            await health.sidecar_ready(self.ports.sidecar, self.settings.start_timeout_seconds)
            await self._host.start()
        except Exception:
            log.critical(
                "no workflows within %s s, so this service ends: is its sidecar up, with a "
                "scheduler and a store that has actorStateStore?",
                self.settings.start_timeout_seconds,
                exc_info=True,
            )
            os.kill(os.getpid(), signal.SIGTERM)
            return
        await watch(self.ports.sidecar)

    def _alive(self) -> bool:
        working = self.processor.alive and self._letters.alive
        return working and (self._host is None or self._host.ready)
