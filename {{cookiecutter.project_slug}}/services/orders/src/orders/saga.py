"""The process that orders initiates: what follows what, and what undoes it."""

from chassis.saga import Saga, Step
from contracts.orders import (
    CapturePayment,
    DispatchShipment,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    RefundPayment,
    ReleaseStock,
    ReserveStock,
)

FULFILMENT = Saga(
    started_by=OrderPlaced,
    steps=(
        Step(ReserveStock, at="inventory", undo=ReleaseStock),
        Step(CapturePayment, at="payments", undo=RefundPayment),
        Step(DispatchShipment, at="shipping"),
    ),
    completed=OrderConfirmed,
    cancelled=OrderCancelled,
)
