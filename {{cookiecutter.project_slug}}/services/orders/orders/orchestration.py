"""Orchestration: the workflow calls each participant by service invocation, and waits."""

from collections.abc import Generator
from functools import partial
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from chassis import Calls, CloudEvent, Rejected, Service, Step, Unavailable, Workflows
from contracts import OrderCancelled, OrderConfirmed
from orders.process import REPLIES, Fulfilment, NoAnswer, Question, StepFailed, fulfil, record_reply

workflows = Workflows()


@workflows.workflow
def fulfil_order(
    ctx: DaprWorkflowContext, start: Fulfilment
) -> Generator[Any, Any, OrderConfirmed | OrderCancelled]:
    calls = Calls(ctx)
    return (yield from fulfil(ctx, start, calls, partial(ask, calls)))


def ask(calls: Calls, question: Question) -> Generator[Any, Any, CloudEvent]:
    try:
        return (yield from calls(ask_participant, question, question.patience))
    except Rejected as refusal:
        # A participant that refuses the request itself has done nothing that could be undone.
        raise StepFailed(question.topic, str(refusal)) from refusal
    except Unavailable as silence:
        raise NoAnswer(question.topic, str(silence)) from silence


@workflows.activity
async def ask_participant(question: Question, service: Service) -> CloudEvent:
    """The participant's reply, recorded as a step of the order."""
    reply = await service.participants.ask(question.participant, question.command, question.topic)
    try:
        await service.processor.process(reply, Step(question.topic, REPLIES, record_reply))
    except Rejected as error:
        # The participant has acted; only its own refusal may count as "nothing was done".
        raise Unavailable(f"the reply to {question.topic} is not readable: {error}") from error
    return reply
