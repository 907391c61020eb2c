"""Orders over HTTP: place one, and see how far it is."""

from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from fastapi import APIRouter, HTTPException, Response, status
from pydantic import BaseModel, ConfigDict

from chassis import Caller, ClientRoute, IdempotencyKey, NewId, Running
from chassis.processes import Failure, ProcessView, RetryView, begin, look_up
from chassis.saga import Recorded, State, Style
from contracts.orders import OrderDetails, OrderId, OrderPlaced
from orders.saga import FULFILMENT
from orders.settings import settings

router = APIRouter(route_class=ClientRoute, tags=["Orders"])


class OrderState(StrEnum):
    """How far an order is."""

    PLACED = "placed"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


STATES = {
    State.RUNNING: OrderState.PLACED,
    State.COMPLETED: OrderState.CONFIRMED,
    State.CANCELLED: OrderState.CANCELLED,
}


class PlaceOrder(OrderDetails):
    """What to buy, and, if it matters, the style in which the order is fulfilled."""

    model_config = ConfigDict(extra="forbid")

    style: Style = settings.default_style


class Accepted(BaseModel):
    order_id: OrderId
    style: Style


class OrderView(BaseModel):
    """An order as far as it is: what happened when, what failed and why, what was undone."""

    order_id: OrderId
    style: Style
    state: OrderState
    placed_at: datetime
    ended_at: datetime | None
    total_cents: int
    details: OrderDetails
    steps: tuple[Recorded, ...]
    retrying: tuple[RetryView, ...]
    failure: Failure | None
    undone: tuple[str, ...]

    @classmethod
    def of(cls, process: ProcessView) -> Self:
        placed = OrderPlaced.model_validate(process.started)
        return cls(
            order_id=placed.order_id,
            style=process.style,
            state=STATES[process.state],
            placed_at=process.started_at,
            ended_at=process.ended_at,
            total_cents=placed.order.total_cents,
            details=placed.order,
            steps=process.steps,
            retrying=process.retrying,
            failure=process.failure,
            undone=process.undone,
        )


@router.post("/orders", status_code=status.HTTP_202_ACCEPTED)
async def post_order(
    request: PlaceOrder,
    service: Running,
    caller: Caller,
    key: IdempotencyKey,
    id: NewId,
    response: Response,
) -> Accepted:
    details = OrderDetails.model_validate(request.model_dump(exclude={"style"}))
    placed = OrderPlaced(order_id=id, order=details)
    accepted = await begin(service, FULFILMENT, key, request, request.style, placed, caller)
    response.headers["location"] = f"/orders/{accepted.id}"
    return Accepted(order_id=UUID(accepted.id), style=accepted.style)


@router.get("/orders/{order_id}")
async def get_order(order_id: OrderId, service: Running, caller: Caller) -> OrderView:
    # Who helps customers may see the orders of all of them.
    owner = None if "orders:read" in caller.scopes else caller
    process = await look_up(service, FULFILMENT, str(order_id), owner)
    if process is None:
        raise HTTPException(404, f"there is no order {order_id}")
    return OrderView.of(process)
