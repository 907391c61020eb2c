from typing import Annotated, Any, ClassVar, Literal, cast
from uuid import UUID

import pytest
from pydantic import Field, create_model

from chassis.cloudevents import envelope
from chassis.messages import Message
from chassis.saga import Kind, Saga, Step
from testkit.trips import (
    TOUR,
    TRIP,
    BookRoom,
    ConfirmRoom,
    DepositHeld,
    FreeRoom,
    HoldDeposit,
    PayTrip,
    ReturnDeposit,
    RoomBooked,
    SendVoucher,
    TripBooked,
    TripCancelled,
    TripMessage,
    TripPaid,
    TripRequested,
    VoucherSent,
    say,
)

ROOM = Step(BookRoom, at="rooms", undo=FreeRoom)
DEPOSIT = Step(HoldDeposit, at="billing", undo=ReturnDeposit)
PAY = Step(PayTrip, at="billing")
VOUCHER = Step(SendVoucher, at="vouchers")
CONFIRM = Step(ConfirmRoom, at="rooms")
Said = dict[str, dict[str, Any]]
STARTED = {"trip": "trip-1", "guest": "ada", "nights": 2}


class Named(TripMessage):
    """What ends a trip that needs nothing but its id."""


class Booked(TripMessage):
    pass


def saga(*steps: Any, **changes: Any) -> Saga:
    parts: dict[str, Any] = {
        "started_by": TripRequested,
        "completed": Named,
        "cancelled": TripCancelled,
    }
    return Saga(steps=steps, **parts | changes)


def why_not(*steps: Any, **changes: Any) -> str:
    """The one line with which the saga is refused."""
    with pytest.raises(ValueError, match=r"^the saga trip-requested cannot run: ") as refused:
        saga(*steps, **changes)
    line = str(refused.value)
    assert "\n" not in line
    return line.partition(": ")[2]


def test_the_kind_of_a_step_follows_from_its_undo_and_its_refusal() -> None:
    assert [step.kind for step in TRIP.steps] == [
        Kind.COMPENSATABLE,
        Kind.COMPENSATABLE,
        Kind.PIVOT,
        Kind.RETRIABLE,
        Kind.RETRIABLE,
    ]


def test_a_saga_needs_no_pivot() -> None:
    assert [step.kind for step in TOUR.steps].count(Kind.PIVOT) == 0


def test_a_step_that_may_refuse_after_the_pivot_is_refused() -> None:
    class SealTrip(TripMessage):
        done: ClassVar[type[Message]] = Booked
        refused: ClassVar[type[Message]] = VoucherSent

    assert why_not(ROOM, DEPOSIT, PAY, Step(SealTrip, at="billing"), CONFIRM) == (
        "SealTrip may refuse after PayTrip, which cannot be undone"
    )


def test_a_second_pivot_is_refused() -> None:
    assert why_not(ROOM, Step(HoldDeposit, at="billing"), PAY) == (
        "PayTrip may refuse after HoldDeposit, which cannot be undone"
    )


def test_a_pivot_after_a_retriable_step_is_refused() -> None:
    assert why_not(ROOM, CONFIRM, Step(HoldDeposit, at="billing")) == (
        "HoldDeposit may refuse after ConfirmRoom, which cannot be undone"
    )


@pytest.mark.parametrize("final", [CONFIRM, Step(BookRoom, at="rooms")])
def test_an_undo_of_what_is_never_cancelled_is_refused(final: Step) -> None:
    before = [ROOM] if final is CONFIRM else []
    assert why_not(*before, final, DEPOSIT) == (
        f"the undo of HoldDeposit undoes nothing: after {final.name}, which cannot be undone, the "
        "process is never cancelled"
    )


def test_a_retriable_step_beside_a_compensatable_one_is_refused() -> None:
    assert why_not(ROOM, (DEPOSIT, CONFIRM)) == (
        "ConfirmRoom cannot be undone, and stands beside steps that may be"
    )


@pytest.mark.parametrize("beside", [DEPOSIT, CONFIRM])
def test_a_pivot_beside_another_step_is_refused(beside: Step) -> None:
    class Pay(TripMessage):
        done: ClassVar[type[Message]] = TripPaid
        refused: ClassVar[type[Message]] = Booked

    assert why_not(ROOM, (Step(Pay, at="billing"), beside)) == (
        "Pay may refuse beside others, and cannot be undone with them"
    )


def test_an_undo_that_may_refuse_is_refused() -> None:
    class Free(FreeRoom):
        refused: ClassVar[type[Message]] = Booked

    assert why_not(Step(BookRoom, at="rooms", undo=Free)) == (
        "Free undoes BookRoom, and may refuse: an undo may not"
    )


def test_two_steps_of_one_command_are_refused() -> None:
    assert why_not(ROOM, DEPOSIT, ROOM) == "two steps give one command, BookRoom"


def test_two_commands_of_one_name_are_refused() -> None:
    other = type("BookRoom", (ConfirmRoom,), {})
    assert why_not(ROOM, Step(other, at="rooms")) == "two steps give one command, BookRoom"


def test_two_commands_of_one_topic_are_refused() -> None:
    class Reserve(TripMessage):
        topic: ClassVar[str] = "book-room"
        done: ClassVar[type[Message]] = Booked

    assert why_not(ROOM, Step(Reserve, at="rooms")) == (
        "BookRoom and Reserve have one topic, book-room"
    )


def test_a_list_as_a_stage_is_refused() -> None:
    assert why_not([ROOM, DEPOSIT]) == ("a stage is a tuple of steps, or one step, and not a list")


@pytest.mark.parametrize("done", [None, "RoomBooked"])
def test_an_answer_that_is_no_class_is_refused(done: Any) -> None:
    other = message("Other")
    other.done = done
    assert why_not(Step(other, at="rooms")).startswith("Other does not say which event answers it")


def test_an_undo_of_two_steps_is_refused() -> None:
    twice = Step(HoldDeposit, at="billing", undo=FreeRoom)
    assert why_not(ROOM, twice) == "two steps give one command, FreeRoom"


def test_one_reply_to_two_commands_is_refused() -> None:
    class Upgrade(TripMessage):
        done: ClassVar[type[Message]] = RoomBooked

    assert why_not(ROOM, Step(Upgrade, at="rooms")) == (
        "RoomBooked says two things: give Upgrade a reply of its own"
    )


def test_a_reply_that_is_an_end_is_refused() -> None:
    class Finish(TripMessage):
        done: ClassVar[type[Message]] = Named

    assert why_not(ROOM, Step(Finish, at="rooms")) == (
        "Named says two things: give Finish a reply of its own"
    )


def test_one_event_for_both_ends_is_refused() -> None:
    assert why_not(ROOM, completed=TripCancelled) == (
        "its start and its two ends are not three messages"
    )


def test_a_command_without_an_answer_is_refused() -> None:
    assert why_not(Step(Named, at="rooms")) == (
        "Named does not say which event answers it: `done: ClassVar = ...` in its class"
    )
    assert why_not(Step(BookRoom, at="rooms", undo=Named)).startswith("Named does not say")


def test_a_saga_without_steps_is_refused() -> None:
    assert why_not() == "it has no steps"


def test_a_stage_without_steps_is_refused() -> None:
    assert why_not(ROOM, ()) == "a stage has no steps"


def test_a_field_that_nothing_says_is_refused() -> None:
    assert why_not(DEPOSIT, ROOM) == (
        "nothing says the room of ReturnDeposit: give it to what starts the process, or to a "
        "reply to an earlier step"
    )
    assert why_not(ROOM, completed=TripBooked).startswith("nothing says the voucher of TripBooked")


def test_a_reply_to_a_step_beside_it_says_nothing_to_a_step() -> None:
    assert why_not((ROOM, DEPOSIT)).startswith("nothing says the room of ReturnDeposit")


def test_what_cancels_takes_its_fields_from_the_start_alone() -> None:
    class Cancelled(TripCancelled):
        room: str

    assert why_not(ROOM, cancelled=Cancelled).startswith("nothing says the room of Cancelled")


class RoomBookedV2(TripMessage):
    topic: ClassVar[str] = "room-booked"
    version = 2

    room: str


class BookRoomV2(TripMessage):
    topic: ClassVar[str] = "book-room"
    done: ClassVar[type[Message]] = RoomBookedV2


class OldRoomBooked(TripMessage):
    """Before there were room numbers."""

    topic: ClassVar[str] = "room-booked"


OldRoomBooked.__name__ = "RoomBookedV1"


class TripRequestedV2(TripRequested):
    topic: ClassVar[str] = "trip-requested"
    version = 2


def test_older_versions_of_replies_and_of_the_start_are_read() -> None:
    versions = saga(
        Step(BookRoomV2, at="rooms", undo=FreeRoom),
        started_by=TripRequestedV2,
        older=(RoomBooked, TripRequested),
    )
    assert versions.starts == (TripRequestedV2, TripRequested)
    assert RoomBooked in versions.replies
    assert TripRequested not in versions.replies


def test_a_field_that_an_older_version_does_not_say_is_refused() -> None:
    step = Step(BookRoomV2, at="rooms", undo=FreeRoom)
    saga(step, DEPOSIT)
    assert why_not(step, DEPOSIT, older=(OldRoomBooked,)).startswith(
        "nothing says the room of ReturnDeposit"
    )


def test_an_older_version_of_nothing_is_refused() -> None:
    assert why_not(ROOM, older=(VoucherSent,)) == (
        "VoucherSent is no version of its start or of a reply"
    )


def test_a_command_takes_its_fields_from_the_start_and_from_earlier_replies() -> None:
    said: Said = {
        "RoomBooked": {"trip": "trip-1", "room": "12"},
        "DepositHeld": {"trip": "trip-1", "amount": 50, "reason": "a deposit"},
        "TripPaid": {"trip": "trip-1", "receipt": "r-1"},
        "VoucherSent": {"voucher": "v-1"},
    }
    assert TRIP.make(BookRoom, STARTED, said) == BookRoom(trip="trip-1", guest="ada", nights=2)
    assert TRIP.make(PayTrip, STARTED, said) == PayTrip(
        trip="trip-1", amount=50, reason="a deposit"
    )
    assert TRIP.make(SendVoucher, STARTED, said) == SendVoucher(
        trip="trip-1", room="12", receipt="r-1"
    )
    assert TRIP.make(TripBooked, STARTED, said) == TripBooked(trip="trip-1", voucher="v-1")


def test_the_latest_reply_that_has_a_field_says_it() -> None:
    class Upgraded(TripMessage):
        room: str

    class Upgrade(TripMessage):
        done: ClassVar[type[Message]] = Upgraded

    upgrading = saga(ROOM, Step(Upgrade, at="rooms"), CONFIRM)
    said = {"RoomBooked": {"room": "12"}, "Upgraded": {"room": "99"}}
    assert upgrading.make(ConfirmRoom, STARTED, said) == ConfirmRoom(trip="trip-1", room="99")


def test_a_command_is_the_same_whatever_is_replied_to_it_and_after_it() -> None:
    said: Said = {"RoomBooked": {"room": "12"}}
    later = {**said, "DepositHeld": say(DepositHeld).model_dump() | {"room": "99"}}
    for command in (HoldDeposit, ReturnDeposit):
        assert TRIP.make(command, STARTED, said) == TRIP.make(command, STARTED, later)


def test_all_that_a_later_command_takes_is_needed() -> None:
    assert {"room", "amount", "receipt", "voucher", "reason"} <= TRIP.needs


def test_what_cancels_says_the_step_and_the_reason() -> None:
    cancelled = TRIP.make(TripCancelled, STARTED, {}, failed_step="PayTrip", reason="no money")
    assert cancelled == TripCancelled(
        trip="trip-1", guest="ada", failed_step="PayTrip", reason="no money"
    )


def message(name: str, **kinds: Any) -> Any:
    """A class of messages with these fields."""
    fields: Any = {field: (kind, ...) for field, kind in kinds.items()}
    return create_model(name, __base__=TripMessage, **fields)


def taking(**kinds: Any) -> type[Message]:
    """A command that takes these fields."""
    command: Any = message("Take", **kinds)
    command.done = Booked
    return cast(type[Message], command)


Code = Annotated[str, Field(pattern="^[A-Z]+$")]


@pytest.mark.parametrize(
    ("field", "kind", "why"),
    [
        ("guest", int, "guest of TripRequested is str, and of Take int"),
        ("trip", UUID, "trip of TripRequested is str, and of Take UUID"),
        ("nights", bool, "nights of TripRequested is int, and of Take bool"),
        ("nights", Annotated[int, Field(le=10)], "nights of TripRequested is int, and of Take int"),
        ("guest", Code, "guest of TripRequested is str, and of Take str"),
        ("room", Literal["12"], "room of RoomBooked is str, and of Take typing.Literal['12']"),
    ],
)
def test_a_field_that_is_said_in_another_type_is_refused(field: str, kind: Any, why: str) -> None:
    assert why_not(ROOM, Step(taking(**{field: kind}), at="rooms")).startswith(why)


@pytest.mark.parametrize("kind", [str, str | None, str | int, Any])
def test_a_field_may_take_more_types_than_are_said(kind: Any) -> None:
    saga(ROOM, Step(taking(guest=kind), at="rooms"))


def test_a_field_with_the_same_constraint_is_taken_over() -> None:
    class CodedRequest(TripMessage):
        code: Annotated[str, Field(pattern="^[A-Z]+$")]

    class Cancelled(TripMessage):
        pass

    saga(
        Step(taking(code=Code), at="rooms"),
        started_by=CodedRequest,
        cancelled=Cancelled,
    )


def test_a_field_of_another_type_in_an_older_version_is_refused() -> None:
    class RoomBookedV0(TripMessage):
        topic: ClassVar[str] = "room-booked"
        version: ClassVar[int] = 2

        room: int

    RoomBookedV0.__name__ = "RoomBookedV2"
    assert why_not(ROOM, CONFIRM, older=[RoomBookedV0]).startswith(
        "room of RoomBookedV2 is int, and of ConfirmRoom str"
    )


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("reason", Annotated[str, Field(min_length=1)]),
        ("reason", Annotated[str, Field(max_length=100)]),
        ("reason", Literal["full"]),
        ("reason", int),
        ("failed_step", Literal["PayTrip"]),
    ],
)
def test_an_end_that_does_not_take_any_reason_is_refused(field: str, kind: Any) -> None:
    kinds = {"failed_step": str, "reason": str} | {field: kind}
    cancelled = message("Cancelled", **kinds)
    assert f"{field} of Cancelled is " in why_not(ROOM, cancelled=cancelled)


def test_what_an_older_release_has_recorded_is_sent_as_it_is() -> None:
    """Only the participant says that it does nothing."""
    take = saga(ROOM, Step(taking(room=str), at="rooms")).steps[1].command
    command = saga(ROOM, Step(take, at="rooms")).make(take, STARTED, {"RoomBooked": {"room": 12}})
    event = envelope(command, id="1", source="trips", traceparent=None, exclude_unset=True)
    assert event.data == {"trip": "trip-1", "room": 12}
    assert event.subject == "trip-1"
