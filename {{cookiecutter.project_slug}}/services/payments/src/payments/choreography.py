"""Choreography: payments subscribes to events, and knows what each means for money."""

from chassis import Handlers, Transaction
from contracts.orders import (
    CapturePayment,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    RefundPayment,
    ShipmentFailed,
    StockReserved,
)
from payments import commands

events = Handlers()


@events.on(StockReserved)
async def capture_payment(
    reserved: StockReserved, tx: Transaction
) -> PaymentCaptured | PaymentDeclined:
    return await commands.capture_payment(
        CapturePayment(order_id=reserved.order_id, order=reserved.order), tx
    )


@events.on(ShipmentFailed)
async def refund_payment(failed: ShipmentFailed, tx: Transaction) -> PaymentRefunded:
    return await commands.refund_payment(RefundPayment(order_id=failed.order_id), tx)
