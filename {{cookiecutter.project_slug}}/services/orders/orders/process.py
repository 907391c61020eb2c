"""The process, written once: a workflow asks one participant after the other, and undoes.

How it asks is the style: see `orchestration.py` and `hybrid.py`.
"""

import logging
from collections.abc import Generator
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel

from chassis import (
    Calls,
    CloudEvent,
    CommandRefused,
    Rejected,
    Service,
    Step,
    Transaction,
    Unavailable,
    Workflow,
    Workflows,
    derived_id,
    envelope,
    step,
    to_the_caller,
    traceparent,
)
from contracts import (
    CapturePayment,
    DispatchShipment,
    Event,
    OrderCancelled,
    OrderConfirmed,
    OrderId,
    OrderPlaced,
    RefundPayment,
    ReleaseStock,
    ReserveStock,
)
from orders import steps
from orders.asking import Ask, Fulfilment, Question, StepFailed, Steps, message, now
from orders.domain import STEPS, Order, Retry, Style
from orders.settings import settings
from orders.steps import End

log = logging.getLogger(__name__)

workflows = Workflows()

REPLIES = workflows.reads(*STEPS, CommandRefused)
ENDS = workflows.reads(OrderConfirmed, OrderCancelled)


class Ending(BaseModel):
    """How an order ended, and the order, in case its own record never came to be."""

    start: Fulfilment
    event: CloudEvent

    @property
    def cause(self) -> CloudEvent:
        return self.event


class RecordRetries(BaseModel):
    """A workflow's message to its own order: what it tries again, and why."""

    version: ClassVar[int] = 1

    order_id: OrderId
    retrying: tuple[Retry, ...]

    @property
    def subject(self) -> str:
        return str(self.order_id)


def fulfil(
    ctx: DaprWorkflowContext, start: Fulfilment, calls: Calls, ask: Ask, first_wait: timedelta
) -> Generator[Any, Any, OrderConfirmed | OrderCancelled]:
    order_id, order = start.placed.order_id, start.placed.order
    steps = Steps(ctx, start, ask, first_wait)
    end: End = OrderConfirmed(order_id=order_id)
    try:
        yield from steps.do(
            ReserveStock(order_id=order_id, order=order),
            undone_by=ReleaseStock(order_id=order_id),
        )
        yield from steps.do(
            CapturePayment(order_id=order_id, order=order),
            undone_by=RefundPayment(order_id=order_id),
        )
        yield from steps.do(DispatchShipment(order_id=order_id, order=order))
    except StepFailed as failure:
        yield from steps.undo()
        end = OrderCancelled(
            order_id=order_id, failed_step=failure.failed_step, reason=failure.reason
        )
    event = message(start, end, id=derived_id(ctx.instance_id, "end"), time=now(ctx))
    yield from calls(end_order, Ending(start=start, event=event))
    return end


@workflows.activity
async def end_order(ending: Ending, service: Service) -> Ending:
    """Record the end, and publish it."""

    async def end(event: End, tx: Transaction) -> End:
        await steps.place(ending.start.placed, ending.start.style, tx)
        await steps.end(event, tx)
        return event

    try:
        await service.processor.process(ending.event, Step("end", ENDS, end))
    except Rejected as error:
        # Its participants have acted: whatever stands in the way, the order has yet to end.
        raise Unavailable(f"the end is not recorded: {error}") from error
    return ending


async def record_reply(reply: Event | CommandRefused, tx: Transaction) -> None:
    """What a participant answered becomes a step of the order; a refusal is none."""
    if not isinstance(reply, CommandRefused):
        await steps.record(reply, tx)


async def record_retries(question: Question, service: Service) -> None:
    """Before an attempt: show why there is another one. An order that needs none is not written."""
    if question.retrying is None:
        return
    for retry in question.retrying:
        if retry.step == question.step:
            log.warning(
                "%s is asked again for %s: attempt %d, since %s: %s",
                retry.participant,
                retry.step,
                question.attempt,
                retry.since.isoformat(),
                retry.cause,
            )
    recorded = RecordRetries(order_id=UUID(question.command.subject), retrying=question.retrying)
    event = envelope(
        recorded,
        id=derived_id(question.command.id, "retries", str(question.attempt)),
        source=settings.app_id,
        traceparent=question.command.traceparent,
        time=service.clock.now(),
    )

    async def record(retries: RecordRetries, tx: Transaction) -> None:
        await steps.retry(retries.order_id, retries.retrying, tx)

    try:
        await service.processor.process(event, step(record, RecordRetries), to_the_caller)
    except (Rejected, Unavailable, TimeoutError) as error:
        # It is only shown: the attempt itself matters more.
        log.warning("what is tried again is not shown: %s", error)


async def begin(
    workflow: Workflow[Fulfilment, Any], style: Style, placed: OrderPlaced, service: Service
) -> None:
    """Start the workflow under the order's id. Once the engine has it, the order is accepted."""
    order_id = str(placed.order_id)
    # The engine takes an id again once its workflow has ended; the order must not begin twice. It
    # is known here as soon as a step of it is recorded, even if an earlier request of ours failed.
    if await service.look_up(steps.order_key(placed.order_id), Order) is None:
        start = Fulfilment(
            style=style, placed=placed, traceparent=traceparent(), patience=settings.step_patience
        )
        await service.workflows.begin(workflow, order_id, start)

    async def place(placed: OrderPlaced, tx: Transaction) -> None:
        await steps.place(placed, style, tx)

    event = envelope(
        placed,
        id=derived_id(order_id, "order-placed"),
        source=settings.app_id,
        traceparent=traceparent(),
        time=service.clock.now(),
    )
    await service.processor.process(event, step(place, OrderPlaced), to_the_caller)
