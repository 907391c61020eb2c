"""Made-up sagas for the tests of `chassis.saga`: trips are booked, and tours of a group of people.

A trip has every kind of step, and one participant twice. A tour has a parallel step.
"""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from chassis.messages import Message
from chassis.saga import Saga, Step

TRIP_ID = "trip-1"


class TripMessage(BaseModel):
    model_config = ConfigDict(frozen=True)
    version: ClassVar[int] = 1

    trip: str

    @property
    def subject(self) -> str:
        return self.trip


class TripRequested(TripMessage):
    guest: str
    nights: int


class RoomBooked(TripMessage):
    room: str


class RoomRefused(TripMessage):
    reason: str


class RoomFreed(TripMessage):
    pass


class DepositHeld(TripMessage):
    amount: int
    #: Not of a failure: a later command takes it, as any other field.
    reason: str = "a deposit"


class DepositRefused(TripMessage):
    reason: str


class DepositReturned(TripMessage):
    pass


class TripPaid(TripMessage):
    receipt: str


class PaymentRefused(TripMessage):
    reason: str


class VoucherSent(TripMessage):
    voucher: str


class RoomConfirmed(TripMessage):
    pass


class TripBooked(TripMessage):
    voucher: str


class TripCancelled(TripMessage):
    guest: str
    failed_step: str
    reason: str


class BookRoom(TripMessage):
    done: ClassVar[type[Message]] = RoomBooked
    refused: ClassVar[type[Message]] = RoomRefused

    guest: str
    nights: int


class FreeRoom(TripMessage):
    done: ClassVar[type[Message]] = RoomFreed


class HoldDeposit(TripMessage):
    done: ClassVar[type[Message]] = DepositHeld
    refused: ClassVar[type[Message]] = DepositRefused

    guest: str


class ReturnDeposit(TripMessage):
    done: ClassVar[type[Message]] = DepositReturned

    room: str


class PayTrip(TripMessage):
    done: ClassVar[type[Message]] = TripPaid
    refused: ClassVar[type[Message]] = PaymentRefused

    amount: int
    reason: str


class SendVoucher(TripMessage):
    done: ClassVar[type[Message]] = VoucherSent

    room: str
    receipt: str


class ConfirmRoom(TripMessage):
    done: ClassVar[type[Message]] = RoomConfirmed

    room: str


TRIP = Saga(
    started_by=TripRequested,
    steps=(
        Step(BookRoom, at="rooms", undo=FreeRoom),
        Step(HoldDeposit, at="billing", undo=ReturnDeposit),
        Step(PayTrip, at="billing"),
        Step(SendVoucher, at="vouchers"),
        Step(ConfirmRoom, at="rooms"),
    ),
    completed=TripBooked,
    cancelled=TripCancelled,
)


class TourRequested(TripMessage):
    guest: str
    nights: int


class GuideHired(TripMessage):
    guide: str


class GuideDismissed(TripMessage):
    pass


class TicketIssued(TripMessage):
    pass


class BadgeIssued(TripMessage):
    pass


class TourBooked(TripMessage):
    pass


class TourCancelled(TripMessage):
    failed_step: str
    reason: str


class HireGuide(TripMessage):
    """It has no refusal of its own: a participant may still refuse the command."""

    done: ClassVar[type[Message]] = GuideHired

    guest: str


class DismissGuide(TripMessage):
    done: ClassVar[type[Message]] = GuideDismissed


class IssueTicket(TripMessage):
    done: ClassVar[type[Message]] = TicketIssued

    room: str
    guide: str


class IssueBadge(TripMessage):
    done: ClassVar[type[Message]] = BadgeIssued


TOUR = Saga(
    started_by=TourRequested,
    steps=(
        Step(BookRoom, at="rooms", undo=FreeRoom),
        (
            Step(HoldDeposit, at="billing", undo=ReturnDeposit),
            Step(HireGuide, at="guides", undo=DismissGuide),
        ),
        (Step(IssueTicket, at="vouchers"), Step(IssueBadge, at="vouchers")),
    ),
    completed=TourBooked,
    cancelled=TourCancelled,
)

#: What participants say, by the name of the event. Fields that an event has not are left out.
CONTENT = {
    "trip": TRIP_ID,
    "guest": "ada",
    "nights": 2,
    "room": "12",
    "amount": 50,
    "receipt": "r-1",
    "voucher": "v-1",
    "guide": "bob",
}


def say(message: type[Message], **changes: Any) -> Any:
    """The message, with something in each of its fields."""
    content = CONTENT | {"reason": f"a reason of {message.__name__}"} | changes
    fields: dict[str, Any] = getattr(message, "model_fields", {})
    return message.model_validate({name: content[name] for name in fields if name in content})
