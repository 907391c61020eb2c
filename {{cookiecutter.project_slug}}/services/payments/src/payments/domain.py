"""Cards and payments. Pure: no Dapr, no FastAPI, no clock, no I/O."""

from dataclasses import dataclass, replace
from enum import StrEnum

from contracts.orders import CardId, OrderId


@dataclass(frozen=True, slots=True)
class Card:
    """What a card may be charged in all, and what it has been charged so far; whole cents."""

    limit_cents: int
    charged_cents: int = 0

    @property
    def available_cents(self) -> int:
        return self.limit_cents - self.charged_cents

    def charge(self, amount_cents: int) -> "Card":
        if amount_cents > self.available_cents:
            raise InsufficientCredit(f"{amount_cents} to pay, {self.available_cents} available")
        return replace(self, charged_cents=self.charged_cents + amount_cents)

    def refund(self, amount_cents: int) -> "Card":
        if amount_cents > self.charged_cents:
            raise ValueError(f"{amount_cents} to refund, {self.charged_cents} charged")
        return replace(self, charged_cents=self.charged_cents - amount_cents)


class InsufficientCredit(Exception):
    """A charge is more than the card has left."""


class Status(StrEnum):
    CAPTURED = "captured"
    DECLINED = "declined"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Payment:
    """What one order paid. `amount_cents` is what was captured; a refund leaves it in place."""

    order_id: OrderId
    status: Status
    card: CardId
    amount_cents: int = 0
    reason: str = ""


def capture(
    card: Card, order_id: OrderId, card_id: CardId, amount_cents: int
) -> tuple[Card, Payment]:
    try:
        charged = card.charge(amount_cents)
    except InsufficientCredit as error:
        reason = f"card {card_id} has insufficient credit: {error} (cents)"
        return card, Payment(order_id, Status.DECLINED, card_id, 0, reason)
    return charged, Payment(order_id, Status.CAPTURED, card_id, amount_cents)


def refund(card: Card, payment: Payment) -> tuple[Card, Payment]:
    """Pay back what was captured; of a payment that was declined, nothing."""
    if payment.status is Status.CAPTURED:
        card = card.refund(payment.amount_cents)
    return card, replace(payment, status=Status.REFUNDED)
