"""Orchestration: the workflow calls each participant by service invocation, and waits."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from chassis.cloudevents import CloudEvent
from chassis.errors import Over, Rejected, Unavailable
from chassis.handlers import Step
from chassis.messages import Message
from chassis.saga.asking import Ask, NoAnswer, Question
from chassis.saga.declaration import Saga
from chassis.saga.styles import Style
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

FIRST_WAIT = timedelta(milliseconds=500)


class Orchestration(WorkflowRunner):
    def __init__(self, saga: Saga) -> None:
        super().__init__(saga, Style.ORCHESTRATION, _asking, FIRST_WAIT)


def _asking(ctx: DaprWorkflowContext, calls: Calls) -> Ask:
    def ask(question: Question, wait: timedelta) -> Generator[Any, Any, CloudEvent]:
        try:
            return (yield from calls.once(ask_participant, question))
        except Over:
            raise
        except (Rejected, Unavailable) as error:
            yield ctx.create_timer(wait)
            raise NoAnswer(str(error)) from error

    return ask


@activities.activity
async def ask_participant(question: Question, service: Host) -> CloudEvent:
    """The participant's reply, recorded as a step of the process."""
    runner = runner_of(service, question.saga, Style.ORCHESTRATION)
    await require_ours(question, runner, service)
    await record_retries(question, runner, service)
    reply = await service.participants.ask(question.participant, question.command, question.topic)

    async def record(said: Message, tx: Transaction) -> None:
        await record_reply(runner, said, tx)

    try:
        await service.processor.process(reply, Step(question.topic, runner.replies, record))
    except Rejected as error:
        # The participant has acted; only its own refusal may count as "nothing was done".
        raise Unavailable(f"the reply to {question.topic} is not readable: {error}") from error
    return complete(runner, reply)
