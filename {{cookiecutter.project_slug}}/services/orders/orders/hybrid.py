"""Hybrid: the workflow publishes commands and waits for reply events; steps stay asynchronous."""

from collections.abc import Generator, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from chassis import Calls, CloudEvent, Handlers, Rejected, Service, Unavailable, Workflows
from contracts import OrderCancelled, OrderConfirmed
from orders.domain import STEPS
from orders.process import Fulfilment, NoAnswer, Question, fulfil, record_reply
from orders.settings import settings

workflows = Workflows()

# After the reply is recorded, the chassis hands it to the workflow that waits for it.
replies = Handlers()
replies.on(*STEPS, topic=settings.replies_topic)(record_reply)


@workflows.workflow
def fulfil_order_hybrid(
    ctx: DaprWorkflowContext, start: Fulfilment
) -> Generator[Any, Any, OrderConfirmed | OrderCancelled]:
    calls = Calls(ctx)
    return (yield from fulfil(ctx, start, calls, partial(ask, ctx, calls)))


def ask(
    ctx: DaprWorkflowContext, calls: Calls, question: Question
) -> Generator[Any, Any, CloudEvent]:
    for wait in waits(question.patience):
        # Idempotency: it is the same command each time, so a participant that has done it already
        # finds it in its inbox and sends the recorded reply again.
        try:
            yield from calls(send_command, question, question.patience)
        except (Rejected, Unavailable) as error:
            # The broker may have the command all the same, so the step is undone.
            raise NoAnswer(question.topic, str(error)) from error
        try:
            reply = yield ctx.wait_for_external_event(question.command.id, timeout=wait)
        except TimeoutError:
            continue
        return CloudEvent.model_validate(reply)
    raise NoAnswer(question.topic, f"{question.participant} did not reply in {question.patience}")


def waits(patience: timedelta) -> Iterator[timedelta]:
    """How long to wait for each reply before asking again: twice as long each time.

    A lost message is asked for again within 15 s; a participant that is down for hours is asked
    every ten minutes, for each turn makes the workflow's history longer.
    """
    wait = min(patience / 4, timedelta(seconds=15))
    while patience > timedelta():
        yield min(wait, patience)
        patience -= wait
        wait = min(2 * wait, timedelta(minutes=10))


@workflows.activity
async def send_command(question: Question, service: Service) -> Question:
    await service.broker.publish(question.topic, [question.command])
    return question
