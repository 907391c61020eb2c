"""Hybrid: a workflow sends shipping a command over pub/sub, and the answer goes back the same way.

The commands are those of orchestration; only the way they travel differs.
"""

from chassis import Handlers
from contracts import DispatchShipment
from shipping import steps

commands = Handlers()
commands.on(DispatchShipment)(steps.dispatch_shipment)
