"""Orchestration: the workflow calls each participant by service invocation, and waits."""

from collections.abc import Generator
from datetime import timedelta
from functools import partial
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from chassis import Calls, CloudEvent, Rejected, Service, Step, Unavailable, Workflows
from contracts import OrderCancelled, OrderConfirmed
from orders.asking import Fulfilment, NoAnswer, Question
from orders.process import REPLIES, fulfil, record_reply, record_retries

workflows = Workflows()

FIRST_WAIT = timedelta(milliseconds=500)


@workflows.workflow
def fulfil_order(
    ctx: DaprWorkflowContext, start: Fulfilment
) -> Generator[Any, Any, OrderConfirmed | OrderCancelled]:
    calls = Calls(ctx)
    return (yield from fulfil(ctx, start, calls, partial(ask, ctx, calls), FIRST_WAIT))


def ask(
    ctx: DaprWorkflowContext, calls: Calls, question: Question, wait: timedelta
) -> Generator[Any, Any, CloudEvent]:
    try:
        return (yield from calls.once(ask_participant, question))
    except (Rejected, Unavailable) as error:
        yield ctx.create_timer(wait)
        raise NoAnswer(str(error)) from error


@workflows.activity
async def ask_participant(question: Question, service: Service) -> CloudEvent:
    """The participant's reply, recorded as a step of the order."""
    await record_retries(question, service)
    reply = await service.participants.ask(question.participant, question.command, question.topic)
    try:
        await service.processor.process(reply, Step(question.topic, REPLIES, record_reply))
    except Rejected as error:
        # The participant has acted; only its own refusal may count as "nothing was done".
        raise Unavailable(f"the reply to {question.topic} is not readable: {error}") from error
    return reply
