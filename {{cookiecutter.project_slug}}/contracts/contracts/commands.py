"""Commands: what a workflow asks a participant to do, in the imperative."""

from contracts.messages import Command
from contracts.values import OrderDetails


class ReserveStock(Command):
    order: OrderDetails


class ReleaseStock(Command):
    pass


class CapturePayment(Command):
    order: OrderDetails


class RefundPayment(Command):
    pass


class DispatchShipment(Command):
    order: OrderDetails
