"""Notices over HTTP, to look at."""

from fastapi import APIRouter, HTTPException

from chassis import Running
from contracts.orders import OrderId

from .choreography import notice_key
from .domain import Notice

router = APIRouter(tags=["Notices"])


@router.get("/notices/{order_id}")
async def get_notice(order_id: OrderId, service: Running) -> Notice:
    notice = await service.look_up(notice_key(order_id), Notice)
    if notice is None:
        raise HTTPException(404, f"there is no notice of order {order_id}")
    return notice
