"""Hybrid on the workflow engine: commands are published, and the workflow waits for the replies.

For who wants the engine's history; the process manager of `hybrid.py` costs a tenth of it.
"""

import logging
from collections.abc import Generator, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel, ValidationError

from chassis.cloudevents import CloudEvent
from chassis.errors import Over, Rejected, Unavailable
from chassis.handlers import Handlers, Outcome
from chassis.inbox import to_the_caller
from chassis.messages import Message
from chassis.refusal import CommandRefused
from chassis.saga.asking import Ask, NoAnswer, Question
from chassis.saga.declaration import Saga
from chassis.saga.records import Records
from chassis.saga.runner import Initiator
from chassis.saga.styles import Style
from chassis.saga.subjects import instance_id
from chassis.saga.workflow import (
    Host,
    WorkflowRunner,
    activities,
    complete,
    record_reply,
    record_retries,
    require_ours,
    runner_of,
)
from chassis.transaction import Transaction
from chassis.workflows import Calls

#: A message that is lost is given again so soon.
FIRST_WAIT = timedelta(seconds=15)


log = logging.getLogger(__name__)


class NoWorkflow(BaseModel):
    """The outcome of a reply to a process that no workflow runs: it is recorded, and no more."""

    version: ClassVar[int] = 1

    id: str

    @property
    def subject(self) -> str:
        return self.id


class HybridWorkflow(WorkflowRunner):
    def __init__(self, saga: Saga) -> None:
        super().__init__(saga, Style.HYBRID, _asking, FIRST_WAIT)

    def join(self, service: Initiator, records: Records) -> None:
        super().join(service, records)
        replies = Handlers()
        replies.on(*self.saga.replies, CommandRefused, topic=self.saga.replies_topic)(self._record)
        # After the reply is recorded, it is handed to the workflow that waits for it.
        service.await_replies(replies, to_the_caller, then=self._hand_over)

    async def _record(self, reply: Message, tx: Transaction) -> Outcome:
        progress = await record_reply(self, reply, tx)
        if progress.style is None or progress.is_run_by(self.style, self.engine):
            return None
        return NoWorkflow(id=progress.id)

    async def _hand_over(self, reply: CloudEvent, outcomes: Sequence[CloudEvent]) -> None:
        if outcomes:
            log.info("no workflow waits for %s: it is another engine's", reply.type)
            return
        id = instance_id(self.saga, reply.subject)
        await self._service.workflows.raise_event(complete(self, reply), id)


def _asking(ctx: DaprWorkflowContext, calls: Calls) -> Ask:
    def ask(question: Question, wait: timedelta) -> Generator[Any, Any, CloudEvent]:
        # Idempotency: it is the same command each time, so a participant that has done it already
        # finds it in its inbox and sends the recorded reply again.
        cause = f"{question.participant} did not reply in {wait}"
        try:
            yield from calls(send_command, question, min(wait, FIRST_WAIT))
        except Over:
            raise
        except (Rejected, Unavailable) as error:
            # The broker may have the command all the same, and the reply to an earlier one may
            # come.
            cause = str(error)
        try:
            reply = yield ctx.wait_for_external_event(question.command.id, timeout=wait)
            return CloudEvent.model_validate(reply)
        except TimeoutError as error:
            raise NoAnswer(cause) from error
        except ValidationError as error:
            # Whoever raised it is no participant: their replies are read before they come here.
            yield ctx.create_timer(wait)
            raise NoAnswer(f"the reply to {question.topic} is no CloudEvent") from error

    return ask


@activities.activity
async def send_command(question: Question, service: Host) -> Question:
    runner = runner_of(service, question.saga, Style.HYBRID)
    await require_ours(question, runner, service)
    await record_retries(question, runner, service)
    await service.broker.publish(question.topic, [question.command])
    return question
