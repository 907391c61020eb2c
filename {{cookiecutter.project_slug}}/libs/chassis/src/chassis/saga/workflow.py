"""A saga as a Dapr workflow: the engine keeps the history, and the initiator a record of it.

How it asks a participant is the style: see `orchestration.py` and `hybrid_workflow.py`.
"""

import logging
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any, ClassVar, Protocol

from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel

from chassis.cloudevents import CloudEvent, derived_id, envelope
from chassis.errors import Rejected, Unavailable
from chassis.handlers import Step, read, step
from chassis.inbox import to_its_topic, to_the_caller
from chassis.messages import Message
from chassis.ports import Participants
from chassis.refusal import CommandRefused
from chassis.saga.asking import Ask, Question, Start, Steps, message, now
from chassis.saga.declaration import Saga
from chassis.saga.progress import Progress, Retry
from chassis.saga.records import Records, start_of
from chassis.saga.runner import Initiator, start_event
from chassis.saga.sagas import Sagas
from chassis.saga.styles import Style
from chassis.saga.subjects import instance_id
from chassis.telemetry import traceparent
from chassis.transaction import Transaction
from chassis.workflows import Calls, Workflow, Workflows

log = logging.getLogger(__name__)


class Ended(BaseModel):
    """How a process ended, and its start, in case its own record never came to be."""

    saga: str
    start: Start
    event: CloudEvent
    failed_step: str | None
    reason: str | None

    @property
    def cause(self) -> CloudEvent:
        return self.event


class RecordRetries(BaseModel):
    """A workflow's message to the record of its process: what it tries again, and why."""

    version: ClassVar[int] = 1

    id: str
    retrying: tuple[Retry, ...]

    @property
    def subject(self) -> str:
        return self.id


class WorkflowRunner:
    """`ask` makes, for one run of the workflow, how it asks."""

    def __init__(
        self,
        saga: Saga,
        style: Style,
        ask: Callable[[DaprWorkflowContext, Calls], Ask],
        first_wait: timedelta,
    ) -> None:
        self.saga = saga
        self.style = style
        self._ask = ask
        self._first_wait = first_wait
        self.workflows = Workflows()
        self.replies = self.workflows.reads(*saga.replies, CommandRefused)
        self.ends = self.workflows.reads(*saga.ends)
        self.workflows.workflow(self._named(f"{saga.name}-{style}"))

    def join(self, service: Initiator, records: Records) -> None:
        self._service, self.records = service, records
        service.host(self.workflows, activities)
        service.publishes(*self.saga.ends, *self.saga.commands)

    async def begin(self, started: Message) -> None:
        """Start the workflow. Once the engine has it, the process is accepted."""
        service, id = self._service, started.subject
        # The engine takes an id again once its workflow has ended; the process must not begin
        # twice. It is known here as soon as a step of it is recorded.
        known = await service.look_up(self.records.key(id), Progress)
        if known is None or known.style is None:
            start = Start(
                style=self.style,
                app_id=service.settings.app_id,
                id=id,
                started=started.model_dump(mode="json"),
                traceparent=traceparent(),
                timeout=service.settings.step_timeout,
                replyto=self.saga.replies_topic,
            )
            await service.workflows.begin(self._workflow, instance_id(self.saga, id), start)
        event = start_event(service, self.saga, started)
        await service.processor.process(
            event, step(self._start, self.saga.started_by), to_the_caller
        )

    def goes_on(self, progress: Progress) -> bool:
        return not progress.asked

    async def look_at(self, progress: Progress) -> None:
        """Its engine keeps the time limits."""

    async def _start(self, started: Message, tx: Transaction) -> None:
        await self.records.start(*start_of(started), self.style, tx)

    def _named(self, name: str) -> Workflow[Start, Ended]:
        """The engine knows a workflow by its function's name."""

        def run(ctx: DaprWorkflowContext, start: Start) -> Generator[Any, Any, Ended]:
            return (yield from self._run(ctx, start))

        run.__name__ = name
        self._workflow = run
        return run

    def _run(self, ctx: DaprWorkflowContext, start: Start) -> Generator[Any, Any, Ended]:
        calls = Calls(ctx)
        steps = Steps(ctx, self.saga, start, self._ask(ctx, calls), self._first_wait)
        failure = yield from steps.do()
        if failure is None:
            end = self.saga.make(self.saga.completed, start.started, steps.said)
            failed_step = reason = None
        else:
            failed_step, reason = failure.step.name, failure.reason
            end = self.saga.make(
                self.saga.cancelled, start.started, {}, failed_step=failed_step, reason=reason
            )
        event = message(start, end, id=derived_id(ctx.instance_id, "end"), time=now(ctx))
        ended = Ended(
            saga=self.saga.name, start=start, event=event, failed_step=failed_step, reason=reason
        )
        return (yield from calls(record_end, ended))


activities = Workflows()


class Host(Initiator, Protocol):
    """The part of `chassis.Service` that the activities of a saga use."""

    participants: Participants
    sagas: Sagas


def runner_of(service: Host, saga: str, style: Style) -> WorkflowRunner:
    runner = service.sagas.runner(saga, style)
    assert isinstance(runner, WorkflowRunner)
    return runner


@activities.activity
async def record_end(ended: Ended, service: Host) -> Ended:
    """Record the end, and publish it."""
    runner = runner_of(service, ended.saga, ended.start.style)
    records = runner.records

    async def end(event: Message, tx: Transaction) -> Message:
        progress = await records.start(ended.start.id, ended.start.started, runner.style, tx)
        # The event was made from the history: the record may know less.
        records.end(progress, tx, ended.failed_step, ended.reason)
        return event

    try:
        await service.processor.process(ended.event, Step("end", runner.ends, end), to_its_topic)
    except Rejected as error:
        # Its participants have acted: whatever stands in the way, the process has yet to end.
        raise Unavailable(f"the end is not recorded: {error}") from error
    return ended


async def record_reply(runner: WorkflowRunner, reply: Message, tx: Transaction) -> None:
    """What a participant answered becomes a step of the record; a refusal is none."""
    if not isinstance(reply, CommandRefused):
        progress = await runner.records.begun(reply.subject, runner.style, tx)
        runner.records.record(progress, reply, tx)


def complete(runner: WorkflowRunner, reply: CloudEvent) -> CloudEvent:
    """The reply with the defaults of its class, which its participant may leave out."""
    content = read(reply, runner.replies).model_dump(mode="json")
    return reply.model_copy(update={"data": content})


async def record_retries(question: Question, runner: WorkflowRunner, service: Host) -> None:
    """Before an attempt: show why there is another one. What needs none is not written."""
    if question.retrying is None:
        return
    for retry in question.retrying:
        if retry.command == question.name:
            log.warning(
                "%s is asked again for %s: attempt %d, since %s: %s",
                retry.participant,
                retry.command,
                question.attempt,
                retry.since.isoformat(),
                retry.cause,
            )
    recorded = RecordRetries(id=question.command.subject, retrying=question.retrying)
    event = envelope(
        recorded,
        id=derived_id(question.command.id, "retries", str(question.attempt)),
        source=service.settings.app_id,
        traceparent=question.command.traceparent,
        time=service.clock.now(),
    )

    async def record(retries: RecordRetries, tx: Transaction) -> None:
        progress = await runner.records.begun(retries.id, runner.style, tx)
        runner.records.put(progress.retry(runner.saga, retries.retrying), tx)

    try:
        await service.processor.process(event, step(record, RecordRetries), to_the_caller)
    except (Rejected, Unavailable, TimeoutError) as error:
        # It is only shown: the attempt itself matters more.
        log.warning("what is tried again is not shown: %s", error)
