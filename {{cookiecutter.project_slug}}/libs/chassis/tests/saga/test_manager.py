"""The process manager without store and broker: what it gives, and when."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from chassis.messages import Message
from chassis.saga import Progress, Saga, State, Step
from chassis.saga.declaration import MAX_REASON
from chassis.saga.manager import FIRST_WAIT, LONGEST_WAIT, MAX_CAUSE, Given, Manager
from testkit.trips import (
    TOUR,
    TRIP,
    TRIP_ID,
    BadgeIssued,
    BookRoom,
    ConfirmRoom,
    DepositHeld,
    DepositRefused,
    DepositReturned,
    DismissGuide,
    FreeRoom,
    GuideDismissed,
    GuideHired,
    HireGuide,
    HoldDeposit,
    PaymentRefused,
    PayTrip,
    ReturnDeposit,
    RoomBooked,
    RoomConfirmed,
    RoomFreed,
    RoomRefused,
    SendVoucher,
    TicketIssued,
    TourBooked,
    TripPaid,
    VoucherSent,
    say,
)

T = TypeVar("T")

START = datetime(2030, 1, 1, tzinfo=UTC)
TIMEOUT = timedelta(minutes=2)


def declared(*steps: Step) -> Saga:
    """Trips of these steps: what another release declares."""
    return Saga(
        started_by=TRIP.started_by, steps=steps, completed=TourBooked, cancelled=TRIP.cancelled
    )


ROOM = Step(BookRoom, at="rooms", undo=FreeRoom)
DEPOSIT = Step(HoldDeposit, at="billing", undo=ReturnDeposit)
GUIDE = Step(HireGuide, at="guides", undo=DismissGuide)
PAY, CONFIRM = Step(PayTrip, at="billing"), Step(ConfirmRoom, at="rooms")


class Managed:
    """A process, its manager, and a clock."""

    def __init__(self, saga: Saga) -> None:
        self.saga = saga
        self.now = START
        self.given: list[Given] = []
        self._manager = Manager(saga, TIMEOUT)
        data = say(saga.started_by).model_dump(mode="json")
        self.progress = Progress(TRIP_ID).start(data, None, self.now, None)
        self._go_on(self._manager.advance(self.progress, self.now))

    def _go_on(self, step: tuple[Progress, Sequence[Given]]) -> list[Given]:
        self.progress, given = step
        self.given += given
        end = self._manager.end(self.progress)
        if end is not None:
            failed, reason = self.progress.failed_step, self.progress.reason
            self.progress = self.progress.end(end, self.now, failed, reason)
        return list(given)

    def reply(self, *replies: type[Message]) -> list[str]:
        """The commands that the last one leads to."""
        given: list[Given] = []
        for reply in replies:
            progress = self.progress.record(self.saga, say(reply), self.now)
            given = self._go_on(self._manager.advance(progress, self.now))
        return names(given)

    def refuse(self, command: type[Message], refusals: int, reason: str = "no") -> list[str]:
        """The participant's `CommandRefused` to that command, if it is still waited for."""
        for waiting, asked in self._manager.waiting(self.progress):
            if waiting is command and asked.refusals == refusals:
                progress = self._manager.refuse(self.progress, asked, reason)
                return names(self._go_on(self._manager.advance(progress, self.now)))
        return []

    def wait(self, time: timedelta) -> list[str]:
        """The time passes, and then somebody looks."""
        self.now += time
        return names(self._go_on(self._manager.look(self.progress, self.now)))

    def wait_for(self, *commands: type[Message]) -> timedelta:
        """How long it takes until just these are given."""
        began, second = self.now, timedelta(seconds=1)
        due = min(asked.due for asked in self.progress.asked)
        assert self.wait(due - self.now - second) == []
        assert self.wait(second) == [command.__name__ for command in commands]
        return self.now - began

    def upgrade(self, saga: Saga) -> list[str]:
        """The next release has another declaration; what it gives at its first look."""
        self.saga, self._manager = saga, Manager(saga, TIMEOUT)
        return self.wait(timedelta())

    @property
    def waiting(self) -> list[str]:
        return [asked.command for asked in self.progress.asked]

    @property
    def end(self) -> tuple[State, str | None]:
        return self.progress.state, self.progress.failed_step


def names(given: Sequence[Given]) -> list[str]:
    return [each.command.__name__ for each in given]


@pytest.fixture
def trip() -> Managed:
    return Managed(TRIP)


@pytest.fixture
def tour() -> Managed:
    return Managed(TOUR)


def test_one_step_after_the_other_and_then_it_is_completed(trip: Managed) -> None:
    assert names(trip.given) == ["BookRoom"]
    assert trip.reply(RoomBooked) == ["HoldDeposit"]
    assert trip.reply(DepositHeld) == ["PayTrip"]
    assert trip.reply(TripPaid) == ["SendVoucher"]
    assert trip.reply(VoucherSent) == ["ConfirmRoom"]
    assert trip.reply(RoomConfirmed) == []
    assert trip.end == (State.COMPLETED, None)


def test_a_refusal_of_the_first_step_cancels_at_once(trip: Managed) -> None:
    assert trip.reply(RoomRefused) == []
    assert trip.end == (State.CANCELLED, "BookRoom")
    assert trip.progress.reason == "a reason of RoomRefused"


def test_a_refusal_undoes_the_step_before_it(trip: Managed) -> None:
    assert trip.reply(RoomBooked, DepositRefused) == ["FreeRoom"]
    assert trip.progress.state is State.RUNNING
    trip.reply(RoomFreed)
    assert trip.end == (State.CANCELLED, "HoldDeposit")


def test_a_refusal_of_the_pivot_undoes_the_last_step_first(trip: Managed) -> None:
    assert trip.reply(RoomBooked, DepositHeld, PaymentRefused) == ["ReturnDeposit"]
    assert trip.reply(DepositReturned) == ["FreeRoom"]
    trip.reply(RoomFreed)
    assert trip.end == (State.CANCELLED, "PayTrip")


def test_the_steps_of_a_stage_are_given_together_and_all_waited_for(tour: Managed) -> None:
    assert tour.reply(RoomBooked) == ["HoldDeposit", "HireGuide"]
    assert tour.reply(GuideHired) == []
    assert tour.reply(DepositHeld) == ["IssueTicket", "IssueBadge"]
    assert tour.reply(BadgeIssued) == []
    tour.reply(TicketIssued)
    assert tour.end == (State.COMPLETED, None)


@pytest.mark.parametrize("before", [(), (GuideHired,)])
def test_a_step_beside_the_refused_one_is_undone_whether_it_replied_or_not(
    tour: Managed, before: tuple[type[Message], ...]
) -> None:
    assert tour.reply(RoomBooked, *before, DepositRefused) == ["DismissGuide"]
    assert tour.reply(GuideDismissed) == ["FreeRoom"]
    tour.reply(RoomFreed)
    assert tour.end == (State.CANCELLED, "HoldDeposit")


def test_a_step_that_is_not_answered_is_given_up_in_time_and_undone(trip: Managed) -> None:
    trip.reply(RoomBooked)
    waited = timedelta()
    while "ReturnDeposit" not in trip.wait(timedelta(seconds=1)):
        waited += timedelta(seconds=1)
    assert waited + timedelta(seconds=1) == TIMEOUT
    assert trip.waiting == ["ReturnDeposit"]
    assert trip.reply(DepositReturned) == ["FreeRoom"]
    trip.reply(RoomFreed)
    assert trip.end == (State.CANCELLED, "HoldDeposit")
    assert trip.progress.reason == "billing did not reply in 0:02:00"


def test_a_step_that_is_given_up_takes_those_beside_it_along(tour: Managed) -> None:
    tour.reply(RoomBooked, DepositHeld)
    assert tour.wait(TIMEOUT) == ["ReturnDeposit", "DismissGuide"]
    assert tour.progress.failed_step == "HireGuide"


def test_a_step_that_is_done_after_it_was_given_up_is_undone_all_the_same(trip: Managed) -> None:
    trip.reply(RoomBooked)
    assert trip.wait(TIMEOUT) == ["ReturnDeposit"]
    assert trip.reply(DepositHeld) == []
    assert trip.waiting == ["ReturnDeposit"]
    trip.reply(DepositReturned, RoomFreed)
    assert trip.end == (State.CANCELLED, "HoldDeposit")


def test_a_step_that_is_refused_after_it_was_given_up_needs_no_undo(trip: Managed) -> None:
    trip.reply(RoomBooked)
    trip.wait(TIMEOUT)
    assert trip.reply(DepositRefused) == ["FreeRoom"]


def after_the_pivot(trip: Managed) -> None:
    trip.reply(RoomBooked, DepositHeld, TripPaid)


def before_the_pivot(trip: Managed) -> None:
    trip.reply(RoomBooked, DepositHeld)


def undoing(trip: Managed) -> None:
    trip.reply(RoomBooked, DepositRefused)


@pytest.mark.parametrize(
    ("arrive", "command"),
    [(before_the_pivot, PayTrip), (after_the_pivot, SendVoucher), (undoing, FreeRoom)],
)
def test_a_pivot_a_retriable_step_and_an_undo_are_never_given_up(
    trip: Managed, arrive: object, command: type[Message]
) -> None:
    assert callable(arrive)
    arrive(trip)
    pauses = [trip.wait_for(command) for _ in range(20)]
    assert pauses == sorted(pauses)
    assert pauses[0] == FIRST_WAIT
    assert pauses[-1] == LONGEST_WAIT
    (retry,) = trip.progress.retrying
    assert (retry.command, retry.attempts) == (command.__name__, 20)
    assert retry.cause == f"{retry.participant} did not reply in {sum(pauses, timedelta())}"


def test_nothing_is_given_again_before_it_is_due(trip: Managed) -> None:
    assert trip.wait(FIRST_WAIT - timedelta(seconds=1)) == []
    assert trip.wait(timedelta(seconds=1)) == ["BookRoom"]


def test_a_look_that_finds_nothing_late_changes_nothing(trip: Managed) -> None:
    before = trip.progress
    assert trip.wait(timedelta(seconds=1)) == []
    assert trip.progress == before


def test_a_command_that_is_given_again_has_the_id_of_the_first(trip: Managed) -> None:
    trip.wait(FIRST_WAIT)
    first, again = trip.given
    assert first == again


def test_a_command_that_its_participant_refuses_fails_the_step(trip: Managed) -> None:
    trip.reply(RoomBooked)
    assert trip.refuse(HoldDeposit, 0, "unreadable") == ["FreeRoom"]
    trip.reply(RoomFreed)
    assert trip.end == (State.CANCELLED, "HoldDeposit")
    assert trip.progress.reason == "unreadable"


def test_a_step_without_a_refusal_of_its_own_fails_when_its_command_is_refused(
    tour: Managed,
) -> None:
    tour.reply(RoomBooked)
    assert tour.refuse(HireGuide, 0) == ["ReturnDeposit"]
    assert tour.progress.failed_step == "HireGuide"


@pytest.mark.parametrize(
    ("arrive", "command", "reply"),
    [(undoing, FreeRoom, RoomFreed), (after_the_pivot, SendVoucher, VoucherSent)],
)
def test_what_may_not_be_refused_is_given_again_under_another_id_and_needs_a_human(
    trip: Managed, arrive: object, command: type[Message], reply: type[Message]
) -> None:
    assert callable(arrive)
    arrive(trip)
    assert trip.refuse(command, 0, "unreadable") == []
    (retry,) = trip.progress.retrying
    assert (retry.attempts, retry.refused) == (1, True)
    assert retry.cause.endswith("refused: unreadable")
    assert retry.needs_human(trip.now)

    assert trip.wait_for(command) == FIRST_WAIT
    assert trip.given[-1].refusals == 1
    # The earlier refusal, once more.
    trip.refuse(command, 0)
    assert trip.progress.asked[0].refusals == 1
    trip.wait_for(command)
    assert trip.given[-1].refusals == 1
    assert "did not reply" in trip.progress.retrying[0].cause
    trip.reply(reply)
    assert trip.progress.retrying == ()


def test_what_a_participant_says_has_a_bound_in_bytes(trip: Managed) -> None:
    undoing(trip)
    trip.refuse(FreeRoom, 0, "ä" * 100_000)
    assert len(trip.progress.retrying[0].cause.encode()) <= MAX_CAUSE
    other = Managed(TRIP)
    other.refuse(BookRoom, 0, "ä" * 100_000)
    assert len((other.progress.reason or "").encode()) <= MAX_REASON


def test_an_undo_that_is_late_does_not_hold_back_the_earlier_ones(trip: Managed) -> None:
    before_the_pivot(trip)
    trip.reply(PaymentRefused)
    began = trip.now
    while "FreeRoom" not in trip.wait(timedelta(seconds=1)):
        pass
    assert trip.now - began == TIMEOUT
    trip.reply(RoomFreed)
    assert trip.progress.state is State.RUNNING
    trip.wait_for(ReturnDeposit)
    trip.reply(DepositReturned)
    assert trip.end == (State.CANCELLED, "PayTrip")


def test_an_undo_that_is_late_and_refused_does_not_hold_back_the_earlier_ones(
    trip: Managed,
) -> None:
    before_the_pivot(trip)
    trip.reply(PaymentRefused)
    trip.refuse(ReturnDeposit, 0)
    assert "FreeRoom" in trip.wait(TIMEOUT)


def test_undos_of_one_stage_hold_back_the_earlier_ones_until_all_are_done(tour: Managed) -> None:
    tour.reply(RoomBooked, DepositHeld)
    tour.wait(TIMEOUT)
    assert tour.reply(GuideDismissed) == []
    assert tour.reply(DepositReturned) == ["FreeRoom"]


def test_a_reply_that_comes_again_leads_to_nothing(trip: Managed) -> None:
    trip.reply(RoomBooked)
    assert trip.reply(RoomBooked) == []


def test_a_reply_after_the_end_leads_to_nothing(trip: Managed) -> None:
    trip.reply(RoomRefused)
    assert trip.reply(RoomBooked) == []
    assert trip.refuse(BookRoom, 0) == []
    assert trip.wait(timedelta(days=1)) == []
    assert trip.end == (State.CANCELLED, "BookRoom")


def test_replies_that_come_before_the_start_are_gone_on_from_at_the_start() -> None:
    manager = Manager(TRIP, TIMEOUT)
    early = Progress(TRIP_ID).record(TRIP, say(RoomBooked), START)
    assert manager.advance(early, START) == (early, ())
    assert manager.look(early, START + TIMEOUT) == (early, ())
    data = say(TRIP.started_by).model_dump(mode="json")
    started = early.start(data, None, START, None)
    assert names(manager.advance(started, START)[1]) == ["HoldDeposit"]


Refusal = tuple[type[Message], int]


class Participants:
    """They do what they are asked once, refuse now and then, and refuse what they have undone."""

    def __init__(self, saga: Saga, dice: random.Random) -> None:
        self.done: list[type[Message]] = []
        self.undone: set[type[Message]] = set()
        self._saga = saga
        self._dice = dice
        #: By the id of a command.
        self._inbox: dict[Given, type[Message] | Refusal] = {}

    def handle(self, given: Given) -> type[Message] | Refusal:
        if given not in self._inbox:
            self._inbox[given] = self._decide(given)
        return self._inbox[given]

    def _decide(self, given: Given) -> type[Message] | Refusal:
        step = self._saga.commands[given.command]
        refusal = (given.command, given.refusals)
        if given.command is step.undo:
            if given.refusals < 3 and self._dice.random() < 0.2:
                return refusal
            self.undone.add(step.command)
            assert step.undone is not None
            return step.undone
        if step.command in self.undone or self._dice.random() < 0.1:
            return refusal
        if step.refused is not None and self._dice.random() < 0.2:
            return step.refused
        self.done.append(step.command)
        return step.done


@pytest.mark.parametrize("saga", [TRIP, TOUR], ids=["trip", "tour"])
def test_any_order_loss_and_repetition_of_messages_leads_to_one_right_end(saga: Saga) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    ends = {one_process(saga, dice) for _ in range(200)}
    assert ends == {State.COMPLETED, State.CANCELLED}


def one_process(saga: Saga, dice: random.Random) -> State:
    managed, participants = Managed(saga), Participants(saga, dice)
    ends: set[tuple[State, str | None]] = set()
    sent, replies, seen = list[Given](), list[type[Message] | Refusal](), 0
    for turn in range(10_000):
        sent += managed.given[seen:]
        seen = len(managed.given)
        if managed.progress.has_ended:
            ends.add(managed.end)
            if not sent and not replies:
                break
        # In the end nothing is lost any more, so that it ends.
        is_faulty = turn < 200
        kind = dice.random()
        if sent and kind < 0.4:
            given = take(sent, dice, is_faulty)
            if given is not None:
                replies.append(participants.handle(given))
        elif replies and kind < 0.8:
            reply = take(replies, dice, is_faulty)
            if isinstance(reply, tuple):
                managed.refuse(*reply)
            elif reply is not None:
                managed.reply(reply)
        else:
            managed.wait(timedelta(seconds=dice.choice([1, 10, 60])))
    assert len(ends) == 1, managed.progress
    ((state, failed),) = ends
    done = participants.done
    assert len(done) == len(set(done)), "a step was done twice"
    if state is State.COMPLETED:
        assert failed is None
        assert set(done) == {step.command for step in saga.steps}
        assert not participants.undone
    else:
        assert set(done) <= participants.undone
    return state


def take(messages: list[T], dice: random.Random, is_faulty: bool) -> T | None:
    """Any of them; it may be lost, or stay to be delivered again."""
    position = dice.randrange(len(messages))
    if is_faulty and dice.random() < 0.2:
        return messages[position]
    message = messages.pop(position)
    return None if is_faulty and dice.random() < 0.2 else message


def test_a_step_that_is_put_before_a_pivot_that_is_done_is_skipped() -> None:
    process = Managed(declared(ROOM, DEPOSIT, PAY, CONFIRM))
    process.reply(RoomBooked, DepositHeld, TripPaid)
    assert process.upgrade(declared(ROOM, GUIDE, DEPOSIT, PAY, CONFIRM)) == []
    process.reply(RoomConfirmed)
    assert process.end == (State.COMPLETED, None)


@pytest.mark.parametrize(
    ("reply", "given"), [(TripPaid, ["ConfirmRoom"]), (PaymentRefused, ["ReturnDeposit"])]
)
def test_a_step_that_is_put_before_a_pivot_that_may_be_done_waits_for_its_answer(
    reply: type[Message], given: list[str]
) -> None:
    process = Managed(declared(ROOM, DEPOSIT, PAY, CONFIRM))
    process.reply(RoomBooked, DepositHeld)
    assert process.upgrade(declared(ROOM, GUIDE, DEPOSIT, PAY, CONFIRM)) == []
    assert process.reply(reply) == given


def test_a_step_that_is_put_before_one_that_can_be_undone_is_done() -> None:
    process = Managed(declared(ROOM, DEPOSIT, PAY))
    process.reply(RoomBooked)
    assert process.upgrade(declared(ROOM, GUIDE, DEPOSIT, PAY)) == ["HireGuide"]


def test_a_step_that_is_not_declared_any_more_is_not_waited_for() -> None:
    process = Managed(declared(ROOM, GUIDE, CONFIRM))
    process.reply(RoomBooked)
    assert process.waiting == ["HireGuide"]
    assert process.upgrade(declared(ROOM, CONFIRM)) == ["ConfirmRoom"]
    process.reply(RoomConfirmed)
    assert process.end == (State.COMPLETED, None)


def test_a_process_that_failed_at_a_step_that_is_not_declared_any_more_is_undone() -> None:
    process = Managed(declared(ROOM, GUIDE, DEPOSIT, PAY, CONFIRM))
    process.reply(RoomBooked, GuideHired, DepositRefused)
    assert process.upgrade(declared(ROOM, GUIDE, CONFIRM)) == []
    assert process.reply(GuideDismissed) == ["FreeRoom"]
    process.reply(RoomFreed)
    assert process.end == (State.CANCELLED, "HoldDeposit")


WITHOUT_UNDO = Step(HireGuide, at="guides")


@pytest.mark.parametrize(
    "later", [declared(ROOM, DEPOSIT, PAY), declared(ROOM, DEPOSIT, PAY, WITHOUT_UNDO)]
)
def test_a_process_is_not_cancelled_before_an_undo_that_is_gone_is_declared_again(
    later: Saga,
) -> None:
    saga = declared(ROOM, GUIDE, DEPOSIT, PAY)
    process = Managed(saga)
    process.reply(RoomBooked, GuideHired, DepositRefused)
    assert process.waiting == ["DismissGuide"]
    assert process.upgrade(later) == ["FreeRoom"]
    process.reply(RoomFreed)
    assert process.progress.state is State.RUNNING
    (retry,) = process.progress.retrying
    assert (retry.command, retry.participant) == ("DismissGuide", "guides")
    assert "declare it again" in retry.cause
    assert retry.needs_human(process.now)
    since, process.now = process.now, process.now + timedelta(days=1)
    assert process.wait(timedelta()) == []
    assert process.progress.retrying[0].since == since

    assert process.upgrade(saga) == ["DismissGuide"]
    process.reply(GuideDismissed)
    assert process.end == (State.CANCELLED, "HoldDeposit")


def test_an_undo_that_is_gone_keeps_no_process_from_being_completed() -> None:
    process = Managed(declared(ROOM, GUIDE, DEPOSIT, PAY))
    process.reply(RoomBooked, GuideHired)
    assert process.upgrade(declared(ROOM, DEPOSIT, PAY)) == []
    process.reply(DepositHeld, TripPaid)
    assert process.end == (State.COMPLETED, None)


def test_an_undo_that_is_gone_is_not_missed_where_its_step_was_undone_or_refused() -> None:
    process = Managed(declared(ROOM, GUIDE, DEPOSIT, PAY))
    process.reply(RoomBooked, GuideHired, DepositRefused, GuideDismissed)
    process.upgrade(declared(ROOM, DEPOSIT, PAY))
    process.reply(RoomFreed)
    assert process.end == (State.CANCELLED, "HoldDeposit")
    process = Managed(declared(ROOM, GUIDE, DEPOSIT, PAY))
    process.reply(RoomBooked)
    process.refuse(HireGuide, 0)
    # What failed is gone, too, so all that is declared is undone.
    process.upgrade(declared(ROOM, DEPOSIT, PAY))
    process.reply(DepositReturned, RoomFreed)
    assert process.end == (State.CANCELLED, "HireGuide")
