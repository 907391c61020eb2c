"""Orchestration: the workflow calls each participant by service invocation, and waits."""

from collections.abc import Generator
from functools import partial
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, TaskFailedError

from chassis import CloudEvent, Rejected, Service, Unavailable, Workflows, call, step
from contracts import OrderCancelled, OrderConfirmed
from orders.domain import STEPS
from orders.process import Fulfilment, NoAnswer, Question, StepFailed, fulfil, record_reply, retry

workflows = Workflows()


@workflows.workflow
def fulfil_order(
    ctx: DaprWorkflowContext, start: Fulfilment
) -> Generator[Any, Any, OrderConfirmed | OrderCancelled]:
    return (yield from fulfil(ctx, start, partial(ask, ctx)))


def ask(ctx: DaprWorkflowContext, question: Question) -> Generator[Any, Any, CloudEvent]:
    try:
        return (yield from call(ctx, ask_participant, question, retry(question.patience)))
    except TaskFailedError as error:
        # A participant that refuses the request itself has done nothing that could be undone.
        refused = error.details.error_type == "NonRetryableError"
        failed = StepFailed if refused else NoAnswer
        raise failed(question.topic, error.details.message) from error


@workflows.activity
async def ask_participant(question: Question, service: Service) -> CloudEvent:
    """The participant's reply, recorded as a step of the order."""
    reply = await service.participants.ask(question.participant, question.command, question.topic)
    try:
        await service.processor.process(reply, step(record_reply, *STEPS, topic=question.topic))
    except Rejected as error:
        # The participant has acted; only its own refusal may count as "nothing was done".
        raise Unavailable(f"the reply to {question.topic} is not readable: {error}") from error
    return reply
