"""Shipments over HTTP, to look at."""

from fastapi import APIRouter, HTTPException

from chassis import ClientRoute, Running, needs
from contracts.orders import OrderId
from shipping.domain import Shipment
from shipping.steps import shipment_key

router = APIRouter(
    route_class=ClientRoute, tags=["Shipments"], dependencies=[needs("shipping:read")]
)


@router.get("/shipments/{order_id}")
async def get_shipment(order_id: OrderId, service: Running) -> Shipment:
    shipment = await service.look_up(shipment_key(order_id), Shipment)
    if shipment is None:
        raise HTTPException(404, f"shipping has nothing of order {order_id}")
    return shipment
