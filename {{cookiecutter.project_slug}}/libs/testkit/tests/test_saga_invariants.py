"""Each invariant of a saga names the one thing that breaks it."""

from dataclasses import replace
from typing import Any

import pytest

from chassis.messages import name_of
from testkit.sagas import Evidence, Message, Outcome, Process, Sent, violations
from testkit.trips import (
    TRIP,
    TRIP_ID,
    DepositRefused,
    DepositReturned,
    HoldDeposit,
    PaymentRefused,
    RoomFreed,
    TripCancelled,
    TripMessage,
    TripRequested,
    say,
)


def outcome(message: Any) -> Outcome:
    reply = say(message)
    return Outcome("somebody", name_of(message), f"of {name_of(message)}", data(reply))


def data(message: TripMessage) -> dict[str, object]:
    return message.model_dump(mode="json")


DONE = tuple(outcome(step.done) for step in TRIP.steps)
UNDONE = (*DONE[:2], *map(outcome, (PaymentRefused, DepositReturned, RoomFreed)))
COMPLETED = Process(
    TRIP_ID,
    started=data(say(TripRequested)),
    state="completed",
    seconds=1,
    ends=("TripBooked",),
    outcomes=DONE,
)
CANCELLED = replace(
    COMPLETED,
    state="cancelled",
    failed_step="PayTrip",
    ends=("TripCancelled",),
    outcomes=UNDONE,
)
COMMAND = Sent("trips", "1", "hold-deposit", TRIP_ID, data(say(HoldDeposit)))
END = Sent("trips", "2", "trip-cancelled", TRIP_ID, data(say(TripCancelled, failed_step="PayTrip")))


def of(process: Process, **more: object) -> Evidence:
    evidence = Evidence(deadline=60, in_order=True, processes={process.id: process})
    return replace(evidence, **more)  # type: ignore[arg-type]


#: Its undo was on the way when the step was refused, which had nothing to undo any more.
LATE = (DONE[0], *map(outcome, (DepositRefused, RoomFreed, DepositReturned)))


@pytest.mark.parametrize(
    "evidence",
    [
        of(COMPLETED, sent=(COMMAND, COMMAND)),
        of(CANCELLED, sent=(END,)),
        of(replace(CANCELLED, outcomes=LATE, failed_step="HoldDeposit")),
    ],
)
def test_what_holds_is_not_named(evidence: Evidence) -> None:
    assert violations(TRIP, evidence) == []


def swapped(outcomes: tuple[Outcome, ...], one: int, other: int) -> tuple[Outcome, ...]:
    changed = list(outcomes)
    changed[one], changed[other] = changed[other], changed[one]
    return tuple(changed)


@pytest.mark.parametrize(
    ("name", "evidence"),
    [
        ("S1", of(replace(COMPLETED, ends=()))),
        ("S1", of(replace(COMPLETED, ends=("TripBooked", "TripCancelled")))),
        ("S1", of(replace(COMPLETED, state=None, ends=()))),
        ("S1", of(replace(COMPLETED, seconds=61))),
        ("S2", of(replace(COMPLETED, outcomes=DONE[:4]))),
        ("S3", of(replace(CANCELLED, outcomes=UNDONE[:4]))),
        ("S4", of(replace(CANCELLED, outcomes=swapped(UNDONE, 3, 4)))),
        ("S5", of(replace(COMPLETED, outcomes=(*DONE, DONE[0])))),
        ("S5", of(replace(CANCELLED, outcomes=(*UNDONE, UNDONE[4])))),
        ("S6", of(COMPLETED, published=frozenset({Message("rooms", "book-room", "1")}))),
        ("S7", of(COMPLETED, sent=(END, replace(END, topic="trip-lost")))),
        ("S8", of(COMPLETED, sent=(replace(COMMAND, data={**COMMAND.data, "guest": "bob"}),))),
        ("S8", of(CANCELLED, sent=(replace(END, data={**END.data, "failed_step": "Pay"}),))),
        ("S9", of(replace(COMPLETED, outcomes=swapped(DONE, 2, 3)))),
        ("S9", of(replace(CANCELLED, outcomes=UNDONE[3:], failed_step="BookRoom"))),
        ("S10", of(replace(CANCELLED, failed_step=None))),
        ("S10", of(replace(CANCELLED, failed_step="deposit-held"))),
        ("S10", of(replace(COMPLETED, failed_step="PayTrip"))),
        ("S11", of(COMPLETED, oldest_unfinished=3)),
        ("S12", of(replace(COMPLETED, known_at_end=4))),
        ("S12", of(replace(CANCELLED, known_at_end=4))),
    ],
)
def test_what_is_broken_is_named(name: str, evidence: Evidence) -> None:
    assert {each.partition(":")[0] for each in violations(TRIP, evidence)} == {name}
