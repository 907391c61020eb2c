"""Notices. Pure: no Dapr, no FastAPI, no clock, no I/O."""

from dataclasses import dataclass

from contracts.orders import OrderId


@dataclass(frozen=True, slots=True)
class Notice:
    order_id: OrderId
    text: str


def of_confirmation(order_id: OrderId) -> Notice:
    return Notice(order_id, "Your order is confirmed and on its way.")


def of_cancellation(order_id: OrderId, reason: str) -> Notice:
    return Notice(order_id, f"Your order is cancelled: {reason}.")
