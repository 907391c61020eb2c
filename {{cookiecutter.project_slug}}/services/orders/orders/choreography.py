"""Choreography: the participants hear each other; orders only listens, and says how it ended."""

from chassis import (
    Handlers,
    Service,
    Transaction,
    derived_id,
    envelope,
    topic_of,
    traceparent,
)
from contracts import Event, OrderPlaced
from orders import steps
from orders.domain import STEPS, Order, Style
from orders.settings import settings
from orders.steps import End

events = Handlers()


async def begin(placed: OrderPlaced, service: Service) -> None:
    """Tell everyone, ourselves included. Once the broker has the event, the order is accepted."""
    event = envelope(
        placed,
        id=derived_id(str(placed.order_id), "order-placed"),
        source=settings.app_id,
        traceparent=traceparent(),
        time=service.clock.now(),
    )
    hearing = events[topic_of(OrderPlaced)]
    await service.broker.publish(hearing.topic, [event])
    # Heard at once, so that the caller can look the order up. When the broker delivers the same
    # event, it is in the inbox already.
    await service.processor.process(event, hearing)


@events.on(OrderPlaced)
async def place(placed: OrderPlaced, tx: Transaction) -> End | None:
    return await _end(await steps.place(placed, Style.CHOREOGRAPHY, tx), tx)


@events.on(*STEPS)
async def follow(event: Event, tx: Transaction) -> End | None:
    return await _end(await steps.record(event, tx), tx)


async def _end(order: Order, tx: Transaction) -> End | None:
    ending = order.ending()
    if ending is not None:
        await steps.end(ending, tx)
    return ending
