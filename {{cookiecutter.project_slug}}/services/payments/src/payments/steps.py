"""What payments does when it is asked, whatever the style: load, decide, put, answer."""

from chassis import Transaction
from contracts.orders import (
    CapturePayment,
    CardId,
    OrderId,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    RefundPayment,
)
from payments import domain
from payments.domain import Card, Payment, Status
from payments.settings import settings


def card_key(card: CardId) -> str:
    return f"card:{card}"


def payment_key(order_id: OrderId) -> str:
    return f"payment:{order_id}"


async def capture_payment(
    command: CapturePayment, tx: Transaction
) -> PaymentCaptured | PaymentDeclined:
    order_id, order = command.order_id, command.order
    await tx.fetch(payment_key(order_id), card_key(order.card))
    payment = await tx.get(payment_key(order_id), Payment)
    # Idempotent by order too: what was decided for it stands.
    if payment is None:
        card = await tx.get(card_key(order.card), Card) or Card(settings.card_limit_cents)
        charged, payment = domain.capture(card, order_id, order.card, order.total_cents)
        tx.put(card_key(order.card), charged)
        tx.put(payment_key(order_id), payment)
    if payment.status is Status.CAPTURED:
        return PaymentCaptured(order_id=order_id, order=order, amount_cents=payment.amount_cents)
    return PaymentDeclined(order_id=order_id, reason=payment.reason)


async def refund_payment(command: RefundPayment, tx: Transaction) -> PaymentRefunded:
    order_id = command.order_id
    payment = await tx.get(payment_key(order_id), Payment)
    if payment is None:
        return PaymentRefunded(order_id=order_id, amount_cents=0)
    card = await tx.get(card_key(payment.card), Card) or Card(settings.card_limit_cents)
    card, payment = domain.refund(card, payment)
    tx.put(card_key(payment.card), card)
    tx.put(payment_key(order_id), payment)
    return PaymentRefunded(order_id=order_id, amount_cents=payment.amount_cents)
