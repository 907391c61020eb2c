"""Which command goes to which step, whether it comes by service invocation or over pub/sub."""

from chassis import Handlers
from contracts.orders import DispatchShipment
from shipping import steps

commands = Handlers()
dispatch_shipment = commands.on(DispatchShipment)(steps.dispatch_shipment)
