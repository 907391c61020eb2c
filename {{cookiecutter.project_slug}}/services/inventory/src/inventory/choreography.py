"""Choreography: inventory subscribes to events, and knows what each means for stock."""

from chassis import Handlers, Transaction
from contracts.orders import (
    OrderPlaced,
    PaymentDeclined,
    PaymentRefunded,
    ReleaseStock,
    ReserveStock,
    StockRejected,
    StockReleased,
    StockReserved,
)
from inventory import commands

events = Handlers()


@events.on(OrderPlaced)
async def reserve_stock(placed: OrderPlaced, tx: Transaction) -> StockReserved | StockRejected:
    command = ReserveStock(order_id=placed.order_id, order=placed.order)
    return await commands.reserve_stock(command, tx)


# A refund is what undoes a payment, so stock is released after it: in reverse order.
@events.on(PaymentDeclined, PaymentRefunded)
async def release_stock(
    undone: PaymentDeclined | PaymentRefunded, tx: Transaction
) -> StockReleased:
    return await commands.release_stock(ReleaseStock(order_id=undone.order_id), tx)
