"""Orchestration: a workflow asks shipping by service invocation, and waits for the answer."""

from chassis import Handlers
from contracts import DispatchShipment
from shipping import steps

commands = Handlers()
commands.on(DispatchShipment)(steps.dispatch_shipment)
