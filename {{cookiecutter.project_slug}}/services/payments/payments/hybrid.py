"""Hybrid: a workflow sends payments a command over pub/sub, and the answer goes back the same way.

The commands are those of orchestration; only the way they travel differs.
"""

from chassis import Handlers
from contracts import CapturePayment, RefundPayment
from payments import steps

commands = Handlers()
commands.on(CapturePayment)(steps.capture_payment)
commands.on(RefundPayment)(steps.refund_payment)
