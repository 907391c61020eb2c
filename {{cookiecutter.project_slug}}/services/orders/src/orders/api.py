"""Orders over HTTP: place one, and see how far it is."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from fastapi import APIRouter, HTTPException, Response, status
from pydantic import BaseModel, ConfigDict

from chassis import IdempotencyKey, Running, Transaction, derived_id, step
from chassis.saga import Progress, Recorded, Retry, Style, undone
from contracts import OrderDetails, OrderId, OrderPlaced
from orders.saga import FULFILMENT
from orders.settings import settings

router = APIRouter(tags=["Orders"])


class State(StrEnum):
    """How far an order is: a process of the saga that is running, completed or cancelled."""

    PLACED = "placed"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


STATES = {"running": State.PLACED, "completed": State.CONFIRMED, "cancelled": State.CANCELLED}


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
    """The request as it was accepted: a default that changes later changes nothing of it.

    It is recorded for good, so each version of it stays: see docs/versions.md.
    """

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
    """The step of the saga that was not done, and why."""

    step: str
    reason: str


class RetryView(BaseModel):
    """A command that a participant has not carried out yet, and is given again."""

    command: str
    participant: str
    attempts: int
    since: datetime
    cause: str
    needs_human: bool

    @classmethod
    def of(cls, retry: Retry, now: datetime) -> Self:
        return cls(
            command=retry.command,
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

    @classmethod
    def of(cls, progress: Progress, now: datetime) -> Self | None:
        """None: replies about it are known, and the order itself is not yet."""
        if progress.started is None or progress.style is None or progress.started_at is None:
            return None
        placed = OrderPlaced.model_validate(progress.started)
        failure = None
        if progress.failed_step is not None:
            failure = Failure(step=progress.failed_step, reason=progress.reason or "")
        return cls(
            order_id=placed.order_id,
            style=progress.style,
            state=STATES[progress.state],
            placed_at=progress.started_at,
            ended_at=progress.ended_at,
            total_cents=placed.order.total_cents,
            details=placed.order,
            steps=progress.steps,
            retrying=tuple(RetryView.of(retry, now) for retry in progress.retrying),
            failure=failure,
            undone=tuple(undone(FULFILMENT, progress)),
        )


@router.post("/orders", status_code=status.HTTP_202_ACCEPTED)
async def post_order(
    request: PlaceOrder, service: Running, key: IdempotencyKey, response: Response
) -> Accepted:
    order_id = UUID(derived_id("order", key))
    # First the key, then the order: of two requests with one key, only the first one's content
    # may begin. If we crash in between, nothing has happened, and the same request goes on.
    (accepted,) = await service.take(
        AcceptOrder(order_id=order_id, request=request),
        step(_accept, AcceptOrder),
        derived_id("accept-order", key),
    )
    assert isinstance(accepted, OrderAccepted)
    placed = OrderPlaced(order_id=order_id, order=accepted.details)
    await service.sagas.begin(FULFILMENT, accepted.style, placed)
    response.headers["location"] = f"/orders/{order_id}"
    return Accepted(order_id=order_id, style=accepted.style)


async def _accept(asked: AcceptOrder, _: Transaction) -> OrderAccepted:
    """Only the inbox record is kept: it holds the key against what was accepted under it."""
    details = OrderDetails.model_validate(asked.request.model_dump(exclude={"style"}))
    return OrderAccepted(order_id=asked.order_id, style=asked.request.style, details=details)


@router.get("/orders/{order_id}")
async def get_order(order_id: OrderId, service: Running) -> OrderView:
    progress = await service.sagas.progress(FULFILMENT, str(order_id))
    order = OrderView.of(progress, service.clock.now()) if progress else None
    if order is None:
        raise HTTPException(404, f"there is no order {order_id}")
    return order
