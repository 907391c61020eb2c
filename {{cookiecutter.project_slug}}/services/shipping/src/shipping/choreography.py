"""Choreography: shipping subscribes to payments, and sends what is paid."""

from chassis import Handlers, Transaction
from contracts.orders import DispatchShipment, PaymentCaptured, ShipmentDispatched, ShipmentFailed
from shipping import commands

events = Handlers()


@events.on(PaymentCaptured)
async def dispatch_shipment(
    paid: PaymentCaptured, tx: Transaction
) -> ShipmentDispatched | ShipmentFailed:
    return await commands.dispatch_shipment(
        DispatchShipment(order_id=paid.order_id, order=paid.order), tx
    )
