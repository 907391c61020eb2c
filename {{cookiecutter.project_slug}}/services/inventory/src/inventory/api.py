"""Stock over HTTP: goods come in, and anyone may look."""

from typing import ClassVar

from fastapi import APIRouter, HTTPException, status
from pydantic import BaseModel, ConfigDict

from chassis import ClientRoute, IdempotencyKey, Running, Transaction, derived_id, needs, step
from contracts.orders import OrderId, Quantity, Sku
from inventory.domain import Reservation, Stock
from inventory.steps import reservation_key, stock_key

router = APIRouter(route_class=ClientRoute, tags=["Stock"])


class Receipt(BaseModel):
    """Goods that came in."""

    model_config = ConfigDict(extra="forbid")

    quantity: Quantity


class ReceiveStock(BaseModel):
    """The receipt as a message to this service: the inbox makes it count once."""

    version: ClassVar[int] = 1

    sku: Sku
    quantity: Quantity

    @property
    def subject(self) -> str:
        return self.sku


async def receive(received: ReceiveStock, tx: Transaction) -> None:
    stock = await tx.get(stock_key(received.sku), Stock) or Stock()
    tx.put(stock_key(received.sku), stock.receive(received.quantity))


@router.post(
    "/stock/{sku}/receipts",
    status_code=status.HTTP_201_CREATED,
    dependencies=[needs("inventory:write")],
)
async def post_receipt(sku: Sku, receipt: Receipt, service: Running, key: IdempotencyKey) -> Stock:
    await service.take(
        ReceiveStock(sku=sku, quantity=receipt.quantity),
        step(receive, ReceiveStock),
        derived_id("receive-stock", key),
    )
    return await get_stock(sku, service)


@router.get("/stock/{sku}")
async def get_stock(sku: Sku, service: Running) -> Stock:
    return await service.look_up(stock_key(sku), Stock) or Stock()


@router.get("/reservations/{order_id}", dependencies=[needs("inventory:read")])
async def get_reservation(order_id: OrderId, service: Running) -> Reservation:
    reservation = await service.look_up(reservation_key(order_id), Reservation)
    if reservation is None:
        raise HTTPException(404, f"inventory has nothing of order {order_id}")
    return reservation
