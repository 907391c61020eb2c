"""Payments and cards over HTTP, to look at."""

from fastapi import APIRouter, HTTPException

from chassis import ClientRoute, Running, needs
from contracts.orders import CardId, OrderId
from payments.domain import Card, Payment
from payments.settings import settings
from payments.steps import card_key, payment_key

#: Who paid what with which card is nothing for customers.
router = APIRouter(
    route_class=ClientRoute, tags=["Payments"], dependencies=[needs("payments:read")]
)


@router.get("/payments/{order_id}")
async def get_payment(order_id: OrderId, service: Running) -> Payment:
    payment = await service.look_up(payment_key(order_id), Payment)
    if payment is None:
        raise HTTPException(404, f"payments has nothing of order {order_id}")
    return payment


@router.get("/cards/{card}")
async def get_card(card: CardId, service: Running) -> Card:
    return await service.look_up(card_key(card), Card) or Card(settings.card_limit_cents)
