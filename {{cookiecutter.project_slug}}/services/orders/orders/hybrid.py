"""Hybrid: the workflow publishes commands and waits for reply events; steps stay asynchronous."""

from collections.abc import Generator
from datetime import timedelta
from functools import partial
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext
from pydantic import ValidationError

from chassis import (
    Calls,
    CloudEvent,
    CommandRefused,
    Handlers,
    Rejected,
    Service,
    Unavailable,
    Workflows,
)
from contracts import OrderCancelled, OrderConfirmed
from orders.asking import Fulfilment, NoAnswer, Question
from orders.domain import STEPS
from orders.process import fulfil, record_reply, record_retries
from orders.settings import settings

workflows = Workflows()

#: A message that is lost is asked for again so soon.
FIRST_WAIT = timedelta(seconds=15)

# After the reply is recorded, the chassis hands it to the workflow that waits for it.
replies = Handlers()
replies.on(*STEPS, CommandRefused, topic=settings.replies_topic)(record_reply)


@workflows.workflow
def fulfil_order_hybrid(
    ctx: DaprWorkflowContext, start: Fulfilment
) -> Generator[Any, Any, OrderConfirmed | OrderCancelled]:
    calls = Calls(ctx)
    return (yield from fulfil(ctx, start, calls, partial(ask, ctx, calls), FIRST_WAIT))


def ask(
    ctx: DaprWorkflowContext, calls: Calls, question: Question, wait: timedelta
) -> Generator[Any, Any, CloudEvent]:
    # Idempotency: it is the same command each time, so a participant that has done it already
    # finds it in its inbox and sends the recorded reply again.
    cause = f"{question.participant} did not reply in {wait}"
    try:
        yield from calls(send_command, question, min(wait, FIRST_WAIT))
    except (Rejected, Unavailable) as error:
        # The broker may have the command all the same, and the reply to an earlier one may come.
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


@workflows.activity
async def send_command(question: Question, service: Service) -> Question:
    await record_retries(question, service)
    await service.broker.publish(question.topic, [question.command])
    return question
