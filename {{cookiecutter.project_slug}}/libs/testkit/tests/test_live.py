"""What faults and demo derive from a declaration, and how they judge an initiator's records."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from chassis.messages import topic_of
from chassis.saga import Progress, Recorded, Saga, State, Style
from testkit.demo.command import settled_violations
from testkit.faults.catalogue.kills import leading_to, undoing
from testkit.live import Declared, Door, Plan, records
from testkit.live.door import Examples, Started
from testkit.live.load import Load
from testkit.sagas import violations
from testkit.trips import TOUR, TRIP, TRIP_ID, PaymentRefused, PayTrip

START = datetime(2026, 1, 1, tzinfo=UTC)
TRIPS = Declared(TRIP, "trips", tuple(Style), timedelta(minutes=2))


@pytest.mark.parametrize(
    ("saga", "service", "topics"),
    [
        (TRIP, "rooms", ("deposit-refused", "deposit-returned", "free-room")),
        (TRIP, "billing", (topic_of(PaymentRefused), "return-deposit")),
        (TRIP, "vouchers", ()),
        (TOUR, "guides", ("deposit-refused", "dismiss-guide")),
    ],
)
def test_what_lets_a_participant_undo_follows_from_the_declaration(
    saga: Saga, service: str, topics: tuple[str, ...]
) -> None:
    assert undoing(saga, service) == topics


def test_what_lets_a_participant_do_a_step_is_its_command_or_the_event_before_it() -> None:
    assert leading_to(TRIP, "billing", PayTrip) == ("deposit-held", "pay-trip")


def view(state: State, *events: str, failed_step: str | None = None) -> Progress:
    steps = [
        Recorded(event, START + timedelta(seconds=number)) for number, event in enumerate(events)
    ]
    return Progress(
        TRIP_ID,
        style=Style.HYBRID,
        started_at=START,
        ended_at=START + timedelta(seconds=20),
        state=state,
        steps=tuple(steps),
        failed_step=failed_step,
    )


DONE = ("RoomBooked", "DepositHeld", "TripPaid", "VoucherSent", "RoomConfirmed")
UNDONE = ("RoomBooked", "DepositHeld", "PaymentRefused", "DepositReturned", "RoomFreed")


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        (None, view(State.COMPLETED, *DONE)),
        (None, view(State.CANCELLED, *UNDONE, failed_step="PayTrip")),
        ("S1", None),
        ("S2", view(State.COMPLETED, *DONE[:4])),
        ("S3", view(State.CANCELLED, *UNDONE[:4], failed_step="PayTrip")),
        ("S9", view(State.COMPLETED, *DONE[:2], "VoucherSent", "TripPaid", "RoomConfirmed")),
        ("S10", view(State.CANCELLED, *UNDONE)),
    ],
)
def test_the_records_of_an_initiator_are_judged(name: str | None, seen: Progress | None) -> None:
    found = violations(TRIP, records.evidence(TRIPS, {TRIP_ID: seen}))
    assert {each.partition(":")[0] for each in found} == ({name} if name else set())


class Late(Door):
    """A reply is recorded after the end."""

    def __init__(self) -> None:
        super().__init__(TRIPS, {})

    async def look(self, id: str) -> Progress:
        return view(State.CANCELLED, *UNDONE, failed_step="PayTrip")


async def test_the_demo_waits_for_a_reply_that_is_recorded_after_the_end() -> None:
    seen = view(State.CANCELLED, *UNDONE[1:], failed_step="PayTrip")
    assert violations(TRIP, records.evidence(TRIPS, {TRIP_ID: seen}))
    assert await settled_violations(Late(), {TRIP_ID: seen}) == []


class Begins(Examples):
    """Without a sidecar: each is accepted as it is begun."""

    def __init__(self) -> None:
        Door.__init__(self, TRIPS, {})
        self.prepared = 0

    async def prepare(self, run: str, count: int) -> None:
        self.prepared = count

    async def begin(self, plan: Plan) -> str:
        return plan.key


def test_styles_differ_in_the_ids_of_their_examples_and_not_in_the_contents() -> None:
    door = Begins()
    one, other = (door.plans("run", style, 5) for style in (Style.CHOREOGRAPHY, Style.HYBRID))
    assert not {each.key for each in one} & {each.key for each in other}
    assert [contents(each) for each in one] == [contents(each) for each in other]
    assert len({str(contents(each)) for each in one}) > 1


def contents(plan: Started) -> dict[str, object]:
    data = plan.message.model_dump(mode="json")
    del data["trip"]
    return data


async def test_a_load_that_reaches_too_little_is_begun_up_to_four_times() -> None:
    door = Begins()
    load = Load(door, "run", Style.HYBRID, 4, Random(1))
    await load.prepare()
    for _ in range(8):
        load.more()
    await load.all_accepted()
    assert (len(load.ids), door.prepared) == (16, 16)
