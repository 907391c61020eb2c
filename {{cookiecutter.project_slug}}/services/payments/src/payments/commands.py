"""Which command goes to which step, whether it comes by service invocation or over pub/sub."""

from chassis import Handlers
from contracts.orders import CapturePayment, RefundPayment
from payments import steps

commands = Handlers()
capture_payment = commands.on(CapturePayment)(steps.capture_payment)
refund_payment = commands.on(RefundPayment, undoes=CapturePayment)(steps.refund_payment)
