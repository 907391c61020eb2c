"""What orders does when it hears of an order, whatever the style: load, record, put."""

from collections.abc import Sequence

from chassis import Transaction, Unfinished
from contracts import Event, OrderCancelled, OrderConfirmed, OrderId, OrderPlaced
from orders.domain import Order, Retry, Style

End = OrderConfirmed | OrderCancelled


def order_key(order_id: OrderId | str) -> str:
    return f"order:{order_id}"


unfinished = Unfinished(order_key, Order, lambda order: order.ended_at is not None)


async def place(placed: OrderPlaced, style: Style, tx: Transaction) -> Order:
    """Record the order itself."""
    await tx.fetch(order_key(placed.order_id), unfinished.key)
    order = await _load(placed.order_id, tx)
    return _put(order.place(style, placed.order, tx.cause.time), tx)


async def record(event: Event, tx: Transaction) -> Order:
    """Record what a participant said; it may come before the order itself is known."""
    order = await _load(event.order_id, tx)
    return _put(order.record(event, tx.cause.time), tx)


async def retry(order_id: OrderId, retrying: Sequence[Retry], tx: Transaction) -> Order:
    """Record what is being tried again, and why."""
    order = await _load(order_id, tx)
    return _put(order.retry(retrying), tx)


async def end(ending: End, tx: Transaction) -> Order:
    """Record how the order ended. The first end stands.

    An order ends when this service decides so; the steps before happened where they were decided.
    """
    order = await _load(ending.order_id, tx)
    return _put(order.end(ending, tx.now), tx)


async def _load(order_id: OrderId, tx: Transaction) -> Order:
    order = await tx.get(order_key(order_id), Order)
    if order is None:
        await unfinished.add(str(order_id), tx)
        order = Order(order_id)
    return order


def _put(order: Order, tx: Transaction) -> Order:
    tx.put(order_key(order.order_id), order)
    return order
