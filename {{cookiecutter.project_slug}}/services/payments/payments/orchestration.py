"""Orchestration: a workflow asks payments by service invocation, and waits for the answer."""

from chassis import Handlers
from contracts import CapturePayment, RefundPayment
from payments import steps

commands = Handlers()
commands.on(CapturePayment)(steps.capture_payment)
commands.on(RefundPayment)(steps.refund_payment)
