"""Choreography: hears that an order is confirmed or cancelled, and keeps the notice."""

from chassis import Handlers, Transaction
from contracts.orders import OrderCancelled, OrderConfirmed, OrderId

from . import domain
from .domain import Notice

events = Handlers()


def notice_key(order_id: OrderId) -> str:
    return f"notice:{order_id}"


@events.on(OrderConfirmed)
async def tell_confirmed(confirmed: OrderConfirmed, tx: Transaction) -> None:
    await _keep(domain.of_confirmation(confirmed.order_id), tx)


@events.on(OrderCancelled)
async def tell_cancelled(cancelled: OrderCancelled, tx: Transaction) -> None:
    await _keep(domain.of_cancellation(cancelled.order_id, cancelled.reason), tx)


async def _keep(notice: Notice, tx: Transaction) -> None:
    key = notice_key(notice.order_id)
    # An order ends once: the notice of the first time stands.
    if await tx.get(key, Notice) is None:
        tx.put(key, notice)
