"""A saga as a Dapr workflow: the engine keeps the history, and the initiator a record of it.

How it asks a participant is the style: see `orchestration.py` and `hybrid_workflow.py`.
"""

import logging
from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Protocol

from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel

from chassis.cloudevents import CloudEvent, derived_id, envelope
from chassis.errors import Over, Rejected, Unavailable
from chassis.handlers import Step, read, step
from chassis.inbox import to_its_topic, to_the_caller
from chassis.messages import Message
from chassis.ports import Participants
from chassis.refusal import CommandRefused
from chassis.saga.asking import Ask, Question, Start, Steps, message, now
from chassis.saga.declaration import Saga
from chassis.saga.progress import Progress, Retry
from chassis.saga.records import Records
from chassis.saga.runner import Initiator, Launch, is_to_launch, start_event
from chassis.saga.sagas import Sagas
from chassis.saga.styles import Engine, Style
from chassis.saga.subjects import instance_id
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


class LeftAlone(BaseModel):
    """What a workflow returns whose process has ended, or is run by somebody else."""

    id: str
    why: str


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

    engine: Engine | None = Engine.WORKFLOW

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
        """Record the process, and start its workflow. Once the engine has it, it is accepted."""
        event = start_event(self._service, self.saga, started)
        begin = step(self._begin, self.saga.started_by)
        outcomes = await self._service.processor.process(event, begin, to_the_caller)
        if is_to_launch(self, started.subject, outcomes):
            await self._launch(started.subject, event.data, event.traceparent)

    async def look_at(self, progress: Progress) -> None:
        """Start its workflow if nothing is known of it; its engine keeps the time limits.

        It may run, and be slow. It may even have ended by now: see `require_ours`.
        """
        is_late = progress.due is not None and progress.due <= self._service.clock.now()
        if is_late and progress.started is not None:
            await self._launch(progress.id, progress.started, progress.traceparent)

    async def _begin(self, started: Message, tx: Transaction) -> Launch | None:
        progress, is_new = await self.records.start(started, self.style, self.engine, tx)
        return Launch.by(self, progress.id) if is_new else None

    async def _launch(self, id: str, started: Mapping[str, Any], traceparent: str | None) -> None:
        """Unless it runs already. Raises `Unavailable`."""
        settings = self._service.settings
        start = Start(
            style=self.style,
            app_id=settings.app_id,
            id=id,
            started=dict(started),
            traceparent=traceparent,
            timeout=settings.step_timeout,
            replyto=self.saga.replies_topic,
        )
        await self._service.workflows.begin(self._workflow, instance_id(self.saga, id), start)

    def _named(self, name: str) -> Workflow[Start, Ended | LeftAlone]:
        """The engine knows a workflow by its function's name."""

        def run(ctx: DaprWorkflowContext, start: Start) -> Generator[Any, Any, Ended | LeftAlone]:
            return (yield from self._run(ctx, start))

        run.__name__ = name
        self._workflow = run
        return run

    def _run(
        self, ctx: DaprWorkflowContext, start: Start
    ) -> Generator[Any, Any, Ended | LeftAlone]:
        calls = Calls(ctx)
        steps = Steps(ctx, self.saga, start, self._ask(ctx, calls), self._first_wait)
        try:
            failure = yield from steps.do()
        except Over as error:
            return LeftAlone(id=start.id, why=str(error))
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
        start = ended.start
        progress = await records.begun(start.id, runner.style, runner.engine, tx)
        progress = records.started(progress, start.started, None, tx)
        # The event was made from the history: the record may know less.
        records.end(progress, tx, ended.failed_step, ended.reason)
        return event

    try:
        await service.processor.process(ended.event, Step("end", runner.ends, end), to_its_topic)
    except Rejected as error:
        # Its participants have acted: whatever stands in the way, the process has yet to end.
        raise Unavailable(f"the end is not recorded: {error}") from error
    return ended


async def record_reply(runner: WorkflowRunner, reply: Message, tx: Transaction) -> Progress:
    """What a participant answered becomes a step of the record; a refusal is none."""
    if isinstance(reply, CommandRefused):
        return await runner.records.load(reply.subject, tx)
    progress = await runner.records.begun(reply.subject, runner.style, runner.engine, tx)
    return runner.records.record(progress, reply, tx)


async def require_ours(question: Question, runner: WorkflowRunner, service: Host) -> None:
    """Before a step of the first stage: raises `Over` if the process has ended or runs elsewhere.

    The engine takes an id again once its workflow has ended, and a start that was sent before that
    may arrive after it. What was given up then would be done now.
    """
    command = runner.saga.named.get(question.name)
    if command is None or runner.saga.commands[command] not in runner.saga.stages[0]:
        return
    known = await service.look_up(runner.records.key(question.command.subject), Progress)
    if known is None or known.style is None:
        # An older release has started the workflow before it was recorded.
        return
    if known.has_ended:
        raise Over(f"process {known.id} has ended: {known.state}")
    if not known.is_run_by(runner.style, runner.engine):
        raise Over(f"process {known.id} runs as {known.style}, on {known.engine or 'no engine'}")


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
        progress = await runner.records.begun(retries.id, runner.style, runner.engine, tx)
        runner.records.put(progress.retry(runner.saga, retries.retrying), tx)

    try:
        await service.processor.process(event, step(record, RecordRetries), to_the_caller)
    except (Rejected, Unavailable, TimeoutError) as error:
        # It is only shown: the attempt itself matters more.
        log.warning("what is tried again is not shown: %s", error)
