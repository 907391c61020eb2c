"""An order as its service knows it. Pure: no Dapr, no FastAPI, no clock, no I/O.

Events of one order arrive in any order, even before the order itself: recording them commutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from contracts import (
    CapturePayment,
    Command,
    DispatchShipment,
    Event,
    OrderCancelled,
    OrderConfirmed,
    OrderDetails,
    OrderId,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    RefundPayment,
    ReleaseStock,
    ReserveStock,
    ShipmentDispatched,
    ShipmentFailed,
    StockRejected,
    StockReleased,
    StockReserved,
)

#: What the participants say about an order.
STEPS = (
    StockReserved,
    StockRejected,
    StockReleased,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    ShipmentDispatched,
    ShipmentFailed,
)

#: A failed step, and what must be undone before the order is cancelled, in the order of undoing.
UNDOING: dict[type[Event], tuple[type[Event], ...]] = {
    StockRejected: (),
    PaymentDeclined: (StockReleased,),
    ShipmentFailed: (PaymentRefunded, StockReleased),
}

#: A command, and the events that answer it. The last one is the failure, where it may fail.
ANSWERS: dict[type[Command], tuple[type[Event], ...]] = {
    ReserveStock: (StockReserved, StockRejected),
    ReleaseStock: (StockReleased,),
    CapturePayment: (PaymentCaptured, PaymentDeclined),
    RefundPayment: (PaymentRefunded,),
    DispatchShipment: (ShipmentDispatched, ShipmentFailed),
}

#: What is tried for so long in vain is a case for a human.
NEEDS_HUMAN_AFTER = timedelta(minutes=15)


class Style(StrEnum):
    """How an order is fulfilled."""

    CHOREOGRAPHY = "choreography"
    ORCHESTRATION = "orchestration"
    HYBRID = "hybrid"


class State(StrEnum):
    PLACED = "placed"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One step of an order: the event's name, when it happened, and for a failure why."""

    event: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """A command that a participant has not carried out yet, as far as anybody knows."""

    step: str
    participant: str
    attempts: int
    since: datetime
    cause: str
    #: The participant says that it will not, although it must: it is an undo.
    refused: bool = False

    def needs_human(self, now: datetime) -> bool:
        return self.refused or now - self.since >= NEEDS_HUMAN_AFTER


@dataclass(frozen=True, slots=True)
class Order:
    order_id: OrderId
    style: Style | None = None
    details: OrderDetails | None = None
    placed_at: datetime | None = None
    steps: tuple[Recorded, ...] = ()
    state: State = State.PLACED
    ended_at: datetime | None = None
    failed_step: str | None = None
    reason: str | None = None
    retrying: tuple[Retry, ...] = ()

    def place(self, style: Style, details: OrderDetails, at: datetime) -> "Order":
        if self.placed_at is not None:
            return self
        return replace(self, style=style, details=details, placed_at=at)

    def record(self, event: Event, at: datetime) -> "Order":
        """Each kind of event is one step, the earliest, so that an order has an end in bytes."""
        new = Recorded(name_of(event), at, getattr(event, "reason", None))
        first = {new.event: new}
        for step in self.steps:
            first[step.event] = min(step, first.get(step.event, step), key=_in_order)
        recorded = replace(self, steps=tuple(sorted(first.values(), key=_in_order)))
        return recorded.retry(self.retrying)

    def retry(self, retrying: Sequence[Retry]) -> "Order":
        """What is being tried now, less what was answered meanwhile."""
        known = {step.event for step in self.steps}
        left = tuple(each for each in retrying if known.isdisjoint(_answers_to(each.step)))
        if self.ended_at is not None or left == self.retrying:
            return self
        return replace(self, retrying=left)

    def end(self, end: OrderConfirmed | OrderCancelled, at: datetime) -> "Order":
        if self.ended_at is not None:
            return self
        if isinstance(end, OrderConfirmed):
            return replace(self, state=State.CONFIRMED, ended_at=at, retrying=())
        return replace(
            self,
            state=State.CANCELLED,
            ended_at=at,
            failed_step=end.failed_step,
            reason=end.reason,
            retrying=(),
        )

    def ending(self) -> OrderConfirmed | OrderCancelled | None:
        """How the order ends by what is known of it, or None while something is missing."""
        if self.ended_at is not None:
            return None
        known = {step.event: step for step in self.steps}
        if ShipmentDispatched.__name__ in known:
            return OrderConfirmed(order_id=self.order_id)
        for failure, undoing in UNDOING.items():
            failed = known.get(failure.__name__)
            if failed and all(undone.__name__ in known for undone in undoing):
                return OrderCancelled(
                    order_id=self.order_id, failed_step=failed.event, reason=failed.reason or ""
                )
        return None

    @property
    def undone(self) -> tuple[str, ...]:
        """What was undone after the failure, in the order in which it was."""
        names = {undone.__name__ for undoing in UNDOING.values() for undone in undoing}
        return tuple(step.event for step in self.steps if step.event in names)


def _in_order(step: Recorded) -> tuple[datetime, str, str]:
    return step.at, step.event, step.reason or ""


def name_of(event: Event) -> str:
    """The same for each version: `PaymentCapturedV1` says that the payment is captured, too."""
    return type(event).__name__.removesuffix(f"V{event.version}")


def failure_of(command: type[Command]) -> str:
    """How a step is named that failed, for whatever reason: by the event that says so."""
    return _name(ANSWERS[command][-1])


def _answers_to(step: str) -> Sequence[str]:
    return _ANSWERS.get(step, ())


def _name(message: type[Event] | type[Command]) -> str:
    return message.__name__


_ANSWERS = {_name(command): [_name(each) for each in events] for command, events in ANSWERS.items()}
