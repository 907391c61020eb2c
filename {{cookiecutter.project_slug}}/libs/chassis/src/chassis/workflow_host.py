"""Runs the workflows of a service: a bounded start, a graceful stop, activities on our own loop."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Generator
from contextlib import nullcontext
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, WorkflowActivityContext
from grpc import StatusCode
from grpc.aio import AioRpcError
from pydantic import BaseModel

from chassis.cloudevents import CloudEvent
from chassis.errors import Over, Rejected, TooLarge, Unavailable
from chassis.late_responses import REFUSED
from chassis.logs import about
from chassis.ports import Engine, Worker, WorkflowClient
from chassis.settings import ServiceSettings
from chassis.text import cut
from chassis.workflows import Activity, Workflow, Workflows, input_of, name_of

log = logging.getLogger(__name__)

#: Between the attempts to wake a workflow.
WAKING_SECONDS = (1, 2, 4, 8, 16)
#: Bytes of why an activity failed. Histories are replayed, so they stay small.
MAX_CAUSE = 1_000
GONE = "no such instance exists"
#: Until 1.18.1, it says of an id that is taken no more than that: as UNKNOWN.
RUNNING = "' already exists"
#: Characters of an id, as of a CloudEvent's subject; and what no job's name and no UTF-8 may hold.
MAX_ID = 255
NOT_IN_AN_ID = re.compile(r"[/\\#?\ud800-\udfff]")


class WorkflowHost:
    """The engine's worker and client. `begin` and `raise_event` may be repeated without harm."""

    def __init__(self, settings: ServiceSettings, engine: Engine, service: object) -> None:
        """`service` is what activities get as their second argument."""
        self._settings = settings
        self._engine = engine
        self._service = service
        self._sets: list[Workflows] = []
        self._worker: Worker | None = None
        self._client: WorkflowClient | None = None

    def add(self, *sets: Workflows) -> None:
        """To be called before the start."""
        self._sets += sets

    @property
    def ready(self) -> bool:
        return self._worker is not None

    async def start(self) -> None:
        """Raises `TimeoutError` or `RuntimeError` when the sidecar takes no worker in time."""
        settings = self._settings
        # A client belongs to the event loop that it is made on.
        self._client = None
        loop = asyncio.get_running_loop()

        def refused(instance_id: str) -> None:
            asyncio.run_coroutine_threadsafe(self._wake(instance_id), loop)

        worker = self._engine.worker(refused)
        for registered in self._sets:
            for workflow in registered.workflows:
                worker.register_workflow(_workflow(workflow), name=name_of(workflow))
            for activity in registered.activities:
                worker.register_activity(self._activity(activity, loop), name=name_of(activity))
        # It blocks until the sidecar answers.
        async with asyncio.timeout(settings.start_timeout_seconds):
            await asyncio.to_thread(worker.start)
        self._worker = worker
        log.info("workflows are hosted")

    async def stop(self) -> None:
        if self._worker is not None:
            worker, self._worker = self._worker, None
            async with asyncio.timeout(self._settings.handler_timeout_seconds):
                await asyncio.to_thread(worker.shutdown)

    async def begin(self, workflow: Workflow[Any, Any], instance_id: str, start: BaseModel) -> None:
        """Start the workflow, unless an instance with this id is running already.

        Raises `Unavailable`, `TooLarge`, and `Rejected` for what can be no id.
        """
        if not is_id(instance_id):
            raise Rejected(f"{instance_id[:50]!r} is no id of a workflow")
        try:
            await self._call(
                f"start of {instance_id}",
                self._connected().schedule_new_workflow(
                    name_of(workflow), input=start.model_dump(mode="json"), instance_id=instance_id
                ),
            )
        except AlreadyRunning:
            log.info("workflow %s runs already", instance_id)

    async def raise_event(self, event: CloudEvent, instance_id: str | None = None) -> None:
        """Hand a reply to the workflow that waits for its cause; its id is the reply's subject.

        A late or repeated reply finds nobody waiting for that name, and is dropped by the engine.
        So is one whose workflow has ended, and was purged since: there is nothing left to do.
        Raises `Unavailable` and `TooLarge`.
        """
        instance_id = event.subject if instance_id is None else instance_id
        if not await self.raise_named(instance_id, str(event.causationid), event):
            log.info("no workflow waits for %s any more: it is purged", event.type)

    async def raise_named(self, instance_id: str, name: str, content: BaseModel) -> bool:
        """Raise the event that the workflow waits for by this name, now or later.

        False: there is no workflow of this id, or not any more. One that has ended, and is not
        purged yet, ignores it. Raises `Unavailable` and `TooLarge`.
        """
        try:
            if not is_id(instance_id):
                raise Gone
            await self._call(
                f"event {name} for {instance_id}",
                self._connected().raise_workflow_event(
                    instance_id, name, data=content.model_dump(mode="json")
                ),
            )
        except Gone:
            return False
        return True

    async def _call(self, what: str, call: Awaitable[Any]) -> None:
        """Raises `AlreadyRunning`, `Gone`, `TooLarge` or `Unavailable`."""
        seconds = self._settings.sidecar_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                await call
        except TimeoutError as error:
            raise Unavailable(f"{what}: no answer in {seconds} s") from error
        except AioRpcError as error:
            reason = f"{what}: {error.details()}"
            if error.code() is StatusCode.ALREADY_EXISTS or reason.endswith(RUNNING):
                raise AlreadyRunning(reason) from error
            if error.code() is StatusCode.RESOURCE_EXHAUSTED:
                raise TooLarge(reason) from error
            if error.code() is StatusCode.UNAVAILABLE:
                # gRPC's pauses before it connects again grow to two minutes: see `sidecar.CHANNEL`.
                self._client = None
            # daprd 1.18.2 says so as UNKNOWN, and as INTERNAL when another sidecar has its place.
            raise (Gone if reason.endswith(GONE) else Unavailable)(reason) from error

    async def _wake(self, instance_id: str) -> None:
        for wait in WAKING_SECONDS:
            try:
                woken = self._connected().raise_workflow_event(instance_id, REFUSED)
                await self._call(f"wake {instance_id}", woken)
            except Gone:
                return
            except Unavailable:
                log.warning("workflow %s waits, and cannot be woken", instance_id, exc_info=True)
                await asyncio.sleep(wait)
            else:
                log.warning("workflow %s was woken: its answer had been refused", instance_id)
                return
        log.error("workflow %s waits until its next timer: nobody could wake it", instance_id)

    def _connected(self) -> WorkflowClient:
        if self._worker is None:
            raise Unavailable("the workflow host has not started yet")
        if self._client is None:
            self._client = self._engine.client()
        return self._client

    def _activity(self, activity: Activity[Any, Any], loop: asyncio.AbstractEventLoop) -> Any:
        model = input_of(activity, 0)

        async def run(context: WorkflowActivityContext, content: Any) -> Any:
            argument = model.model_validate(content)
            cause = getattr(argument, "cause", None)
            with about(cause) if isinstance(cause, CloudEvent) else nullcontext():
                # The engine calls from a loop of its own; the service's clients live on ours.
                job = asyncio.run_coroutine_threadsafe(activity(argument, self._service), loop)
                try:
                    result = await asyncio.wrap_future(job)
                except Exception as error:
                    # The SDK logs it without its subject, and stores its traceback in the history.
                    cause = cut(str(error) or repr(error), MAX_CAUSE)
                    is_bug = not isinstance(error, (Rejected, Unavailable, OSError))
                    log.warning(
                        "%s of workflow %s failed: %s",
                        name_of(activity),
                        context.workflow_id,
                        cause,
                        exc_info=is_bug,
                    )
                    kinds = (kind for kind in (Over, Rejected) if isinstance(error, kind))
                    raise next(kinds, Unavailable)(cause) from None
            return result.model_dump(mode="json")

        return run


class AlreadyRunning(Exception):
    """An instance with this id has not ended yet."""


class Gone(Exception):
    """There is no instance with this id, or not any more."""


def is_id(instance_id: str) -> bool:
    """Whether the engine can have a workflow of this id.

    It makes an id of its own for an empty one, and job names of all others.
    """
    return 0 < len(instance_id) <= MAX_ID and NOT_IN_AN_ID.search(instance_id) is None


def _workflow(workflow: Workflow[Any, Any]) -> Any:
    model = input_of(workflow, 1)

    def run(ctx: DaprWorkflowContext, start: Any) -> Generator[Any, Any, Any]:
        result = yield from workflow(ctx, model.model_validate(start))
        return result.model_dump(mode="json")

    return run
