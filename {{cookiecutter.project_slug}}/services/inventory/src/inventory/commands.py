"""Which command goes to which step, whether it comes by service invocation or over pub/sub."""

from chassis import Handlers
from contracts.orders import ReleaseStock, ReserveStock
from inventory import steps

commands = Handlers()
reserve_stock = commands.on(ReserveStock)(steps.reserve_stock)
release_stock = commands.on(ReleaseStock, undoes=ReserveStock)(steps.release_stock)
