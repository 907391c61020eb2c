"""Hybrid: a workflow sends inventory a command over pub/sub, and the answer goes back the same way.

The commands are those of orchestration; only the way they travel differs.
"""

from chassis import Handlers
from contracts import ReleaseStock, ReserveStock
from inventory import steps

commands = Handlers()
commands.on(ReserveStock)(steps.reserve_stock)
commands.on(ReleaseStock)(steps.release_stock)
