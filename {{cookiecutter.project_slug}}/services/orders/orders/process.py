"""The process, written once: a workflow asks one participant after the other, and undoes.

How it asks is the style: see `orchestration.py` and `hybrid.py`.
"""

from collections.abc import Callable, Generator
from datetime import UTC, timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext
from pydantic import BaseModel

from chassis import (
    Calls,
    CloudEvent,
    Service,
    Step,
    Transaction,
    Workflow,
    Workflows,
    derived_id,
    envelope,
    read,
    step,
    to_the_caller,
    topic_of,
    traceparent,
)
from contracts import (
    CapturePayment,
    Command,
    DispatchShipment,
    Event,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    RefundPayment,
    ReleaseStock,
    ReserveStock,
)
from orders import steps
from orders.domain import STEPS, Order, Style, is_failure, name_of
from orders.settings import settings
from orders.steps import End

workflows = Workflows()

PARTICIPANTS: dict[type[Command], str] = {
    ReserveStock: "inventory",
    ReleaseStock: "inventory",
    CapturePayment: "payments",
    RefundPayment: "payments",
    DispatchShipment: "shipping",
}

REPLIES = workflows.reads(*STEPS)
ENDS = workflows.reads(OrderConfirmed, OrderCancelled)

#: A day: what must be answered is asked for this long before a human has to look.
UNTIL_ANSWERED = timedelta(days=1)


class Fulfilment(BaseModel):
    """What the workflow starts from. All that it depends on is here: a replay sees the same."""

    style: Style
    placed: OrderPlaced
    traceparent: str | None
    patience: timedelta


class Question(BaseModel):
    """A command on its way to a participant."""

    participant: str
    topic: str
    command: CloudEvent
    patience: timedelta


class Ending(BaseModel):
    """How an order ended, and the order, in case its own record never came to be."""

    start: Fulfilment
    event: CloudEvent


class StepFailed(Exception):
    """The process cannot go on, and undoes what was done."""

    def __init__(self, failed_step: str, reason: str) -> None:
        super().__init__(f"{failed_step}: {reason}")
        self.failed_step, self.reason = failed_step, reason


class NoAnswer(Exception):
    """A participant said nothing in time, and may have done what it was asked."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step, self.reason = step, reason


Ask = Callable[[Question], Generator[Any, Any, CloudEvent]]


def fulfil(
    ctx: DaprWorkflowContext, start: Fulfilment, calls: Calls, ask: Ask
) -> Generator[Any, Any, OrderConfirmed | OrderCancelled]:
    order_id, order = start.placed.order_id, start.placed.order
    undo: list[Command] = []

    def do(command: Command, undone_by: Command | None = None) -> Generator[Any, Any, None]:
        # What cannot be undone must be answered: only then is it known how the order ends.
        patience = start.patience if undone_by else UNTIL_ANSWERED
        try:
            reply = read((yield from ask(question(ctx, start, command, patience))), REPLIES)
        except NoAnswer as silence:
            if undone_by is None:
                # Nobody knows whether it was done: the workflow fails, for a human to look.
                raise
            undo.append(undone_by)
            raise StepFailed(silence.step, silence.reason) from silence
        if is_failure(reply):
            raise StepFailed(name_of(reply), reply.reason)
        if undone_by:
            undo.append(undone_by)

    end: End = OrderConfirmed(order_id=order_id)
    try:
        yield from do(
            ReserveStock(order_id=order_id, order=order),
            undone_by=ReleaseStock(order_id=order_id),
        )
        yield from do(
            CapturePayment(order_id=order_id, order=order),
            undone_by=RefundPayment(order_id=order_id),
        )
        yield from do(DispatchShipment(order_id=order_id, order=order))
    except StepFailed as failure:
        # Order matters: what was done last is undone first.
        for compensation in reversed(undo):
            yield from do(compensation)
        end = OrderCancelled(
            order_id=order_id, failed_step=failure.failed_step, reason=failure.reason
        )
    event = message(ctx, start, end, derived_id(ctx.instance_id, "end"))
    yield from calls(end_order, Ending(start=start, event=event), UNTIL_ANSWERED)
    return end


@workflows.activity
async def end_order(ending: Ending, service: Service) -> Ending:
    """Record the end, and publish it."""

    async def end(event: End, tx: Transaction) -> End:
        await steps.place(ending.start.placed, ending.start.style, tx)
        await steps.end(event, tx)
        return event

    await service.processor.process(ending.event, Step("end", ENDS, end))
    return ending


async def record_reply(event: Event, tx: Transaction) -> None:
    """What a participant answered becomes a step of the order."""
    await steps.record(event, tx)


def question(
    ctx: DaprWorkflowContext, start: Fulfilment, command: Command, patience: timedelta
) -> Question:
    topic = topic_of(type(command))
    return Question(
        participant=PARTICIPANTS[type(command)],
        topic=topic,
        # Idempotency: the same step of the same workflow has the same id, however often asked.
        command=message(ctx, start, command, derived_id(ctx.instance_id, topic)),
        patience=patience,
    )


def message(
    ctx: DaprWorkflowContext, start: Fulfilment, content: Command | End, id: str
) -> CloudEvent:
    return envelope(
        content,
        id=id,
        source=settings.app_id,
        traceparent=start.traceparent,
        replyto=settings.replies_topic,
        time=ctx.current_utc_datetime.replace(tzinfo=UTC),
    )


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
    )
    await service.processor.process(event, step(place, OrderPlaced), to_the_caller)
