"""Orchestration: a workflow asks inventory by service invocation, and waits for the answer."""

from chassis import Handlers
from contracts import ReleaseStock, ReserveStock
from inventory import steps

commands = Handlers()
commands.on(ReserveStock)(steps.reserve_stock)
commands.on(ReleaseStock)(steps.release_stock)
