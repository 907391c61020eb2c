"""Orders over HTTP: place one, and see how far it is."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import ClassVar, Self
from uuid import UUID

from fastapi import APIRouter, HTTPException, Response, status
from pydantic import BaseModel, ConfigDict

from chassis import IdempotencyKey, Running, Service, Transaction, derived_id, step
from contracts import OrderDetails, OrderId, OrderPlaced
from orders import choreography, process
from orders.domain import Order, Recorded, Retry, State, Style
from orders.hybrid import fulfil_order_hybrid
from orders.orchestration import fulfil_order
from orders.settings import settings
from orders.steps import order_key

router = APIRouter(tags=["Orders"])

BEGIN: dict[Style, Callable[[OrderPlaced, Service], Awaitable[None]]] = {
    Style.CHOREOGRAPHY: choreography.begin,
    Style.ORCHESTRATION: partial(process.begin, fulfil_order, Style.ORCHESTRATION),
    Style.HYBRID: partial(process.begin, fulfil_order_hybrid, Style.HYBRID),
}


class PlaceOrder(OrderDetails):
    """What to buy, and, if it matters, the style in which the order is fulfilled."""

    model_config = ConfigDict(extra="forbid")

    style: Style = settings.default_style


class AcceptOrder(BaseModel):
    """The request as a message to this service: the inbox holds its key against its content."""

    version: ClassVar[int] = 1

    order_id: OrderId
    request: PlaceOrder

    @property
    def subject(self) -> str:
        return str(self.order_id)


class OrderAccepted(BaseModel):
    """The request as it was accepted: a default that changes later changes nothing of it."""

    version: ClassVar[int] = 1

    order_id: OrderId
    style: Style
    details: OrderDetails

    @property
    def subject(self) -> str:
        return str(self.order_id)


class Accepted(BaseModel):
    order_id: OrderId
    style: Style


class Failure(BaseModel):
    step: str
    reason: str

    @classmethod
    def of(cls, order: Order) -> Self | None:
        if order.failed_step is None:
            return None
        return cls(step=order.failed_step, reason=order.reason or "")


class RetryView(BaseModel):
    """A step that a participant has not carried out yet, and is asked for again."""

    step: str
    participant: str
    attempts: int
    since: datetime
    cause: str
    needs_human: bool

    @classmethod
    def of(cls, retry: Retry, now: datetime) -> Self:
        return cls(
            step=retry.step,
            participant=retry.participant,
            attempts=retry.attempts,
            since=retry.since,
            cause=retry.cause,
            needs_human=retry.needs_human(now),
        )


class OrderView(BaseModel):
    """An order as far as it is: what happened when, what failed and why, what was undone."""

    order_id: OrderId
    style: Style
    state: State
    placed_at: datetime
    ended_at: datetime | None
    total_cents: int
    details: OrderDetails
    steps: tuple[Recorded, ...]
    retrying: tuple[RetryView, ...]
    failure: Failure | None
    undone: tuple[str, ...]


@router.post("/orders", status_code=status.HTTP_202_ACCEPTED)
async def post_order(
    request: PlaceOrder, service: Running, key: IdempotencyKey, response: Response
) -> Accepted:
    order_id = UUID(derived_id("order", key))
    # First the key, then the order: of two requests with one key, only the first one's content
    # may begin. If we crash in between, nothing has happened, and the same request goes on.
    (recorded,) = await service.take(
        AcceptOrder(order_id=order_id, request=request),
        step(_accept, AcceptOrder),
        derived_id("accept-order", key),
    )
    accepted = OrderAccepted.model_validate(recorded.data)
    await BEGIN[accepted.style](OrderPlaced(order_id=order_id, order=accepted.details), service)
    response.headers["location"] = f"/orders/{order_id}"
    return Accepted(order_id=order_id, style=accepted.style)


async def _accept(asked: AcceptOrder, _: Transaction) -> OrderAccepted:
    """Only the inbox record is kept: it holds the key against what was accepted under it."""
    details = OrderDetails.model_validate(asked.request.model_dump(exclude={"style"}))
    return OrderAccepted(order_id=asked.order_id, style=asked.request.style, details=details)


@router.get("/orders/{order_id}")
async def get_order(order_id: OrderId, service: Running) -> OrderView:
    order = await service.look_up(order_key(order_id), Order)
    if order is None or order.style is None or order.details is None or order.placed_at is None:
        raise HTTPException(404, f"there is no order {order_id}")
    now = service.clock.now()
    return OrderView(
        order_id=order_id,
        style=order.style,
        state=order.state,
        placed_at=order.placed_at,
        ended_at=order.ended_at,
        total_cents=order.details.total_cents,
        details=order.details,
        steps=order.steps,
        retrying=tuple(RetryView.of(retry, now) for retry in order.retrying),
        failure=Failure.of(order),
        undone=order.undone,
    )
