"""The published language of trips: a room, a charge and a voucher."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.base import Cents, Command, Event, Name, Text, Value


class TripDetails(Value):
    guest: Name
    card: Name
    hotel: Name
    nights: Annotated[int, Field(ge=1, le=60)]
    night_cents: Cents

    @property
    def total_cents(self) -> int:
        return self.nights * self.night_cents


class OfTrip(Value):
    trip: UUID

    @property
    def subject(self) -> str:
        return str(self.trip)


class TripRequested(OfTrip, Event):
    details: TripDetails


class RoomBooked(OfTrip, Event):
    details: TripDetails


class RoomRefused(OfTrip, Event):
    reason: Text


class RoomFreed(OfTrip, Event):
    pass


class CardCharged(OfTrip, Event):
    details: TripDetails


class CardDeclined(OfTrip, Event):
    reason: Text


class CardRefunded(OfTrip, Event):
    pass


class VoucherSent(OfTrip, Event):
    code: Text


class TripBooked(OfTrip, Event):
    code: Text


class TripCancelled(OfTrip, Event):
    failed_step: Text
    reason: Text


class BookRoom(OfTrip, Command):
    done = RoomBooked
    refused = RoomRefused

    details: TripDetails


class FreeRoom(OfTrip, Command):
    done = RoomFreed


class ChargeCard(OfTrip, Command):
    done = CardCharged
    refused = CardDeclined

    details: TripDetails


class RefundCard(OfTrip, Command):
    done = CardRefunded


class SendVoucher(OfTrip, Command):
    done = VoucherSent

    details: TripDetails
