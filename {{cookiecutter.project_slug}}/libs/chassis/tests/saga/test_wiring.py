"""Whether participants do what a saga declares, in the style in which it runs."""

from collections.abc import Callable

import pytest

from chassis.handlers import Handlers, returns
from chassis.messages import Message
from chassis.saga import Choreography, Hybrid, Orchestration, Saga, Step, wiring
from chassis.saga.runner import Runner
from chassis.service import Service
from chassis.settings import ServiceSettings
from chassis.transaction import Transaction
from testkit import memory_ports
from testkit.trips import (
    TOUR,
    TRIP,
    BookRoom,
    ConfirmRoom,
    FreeRoom,
    HoldDeposit,
    ReturnDeposit,
    TourBooked,
)

Join = Callable[[Service, Handlers], None]


def service(app_id: str) -> Service:
    return Service(ServiceSettings(app_id=app_id), title=app_id, ports=memory_ports())


def handlers(steps: list[Step]) -> Handlers:
    """Of all that is asked of these steps."""

    async def handle(_: Message, __: Transaction) -> None:
        pass

    commands = Handlers()
    for step in steps:
        replies = (step.done,) if step.refused is None else (step.done, step.refused)
        commands.on(step.command)(returns(*replies)(handle))
        if step.undo is not None and step.undone is not None:
            commands.on(step.undo, undoes=step.command)(returns(step.undone)(handle))
    return commands


def problems(runner: Callable[[Saga], Runner], *joins: Join) -> list[str]:
    """Of the trip in this style, with participants that take their commands in these ways."""
    services = [service("trips")]
    services[0].sagas.run(runner(TRIP))
    for app_id in {step.at for step in TRIP.steps}:
        services.append(service(app_id))
        for join in joins:
            join(services[-1], handlers([step for step in TRIP.steps if step.at == app_id]))
    return wiring.problems(services)


def test_a_reaction_that_nobody_has_written_yet_is_named() -> None:
    events = Handlers()

    @events.on(BookRoom)
    async def book_room(_: BookRoom, __: Transaction) -> None:
        raise NotImplementedError("BookRoom follows several events")

    rooms = service("rooms")
    rooms.subscribe(events)
    assert wiring.problems([rooms]) == [
        "rooms: book_room is not written yet: it raises NotImplementedError"
    ]


@pytest.mark.parametrize(("runner", "join"), [(Orchestration, "answer"), (Hybrid, "consume")])
def test_a_style_needs_its_own_way_to_each_participant(
    runner: Callable[[Saga], Runner], join: str
) -> None:
    ways: dict[str, Join] = {"answer": Service.answer, "consume": Service.consume}
    assert problems(runner, ways.pop(join)) == []
    wrong = problems(runner, *ways.values())
    assert (
        f"rooms has no handler for BookRoom, which trip-requested as {runner(TRIP).style} asks it "
        f"for: service.{join}(commands) in its main.py"
    ) in wrong
    assert len(wrong) == len(TRIP.commands)


def test_choreography_needs_no_handler_of_commands() -> None:
    assert all("does not react to" in line for line in problems(Choreography))


def test_what_nothing_can_fail_after_needs_no_reaction_that_undoes_it() -> None:
    saga = Saga(
        started_by=TRIP.started_by,
        steps=(
            Step(BookRoom, at="rooms", undo=FreeRoom),
            Step(HoldDeposit, at="billing", undo=ReturnDeposit),
            Step(ConfirmRoom, at="rooms"),
        ),
        completed=TourBooked,
        cancelled=TRIP.cancelled,
    )
    wanted = wiring.reactions(saga)
    assert wanted["billing"] == {("RoomBooked", "HoldDeposit")}
    # Nobody returns a deposit, so that is no reason either.
    assert wanted["rooms"] == {
        ("TripRequested", "BookRoom"),
        ("DepositRefused", "FreeRoom"),
        ("DepositHeld", "ConfirmRoom"),
    }


def test_what_is_undone_beside_a_refusal_undoes_what_came_before() -> None:
    wanted = wiring.reactions(TOUR)
    assert ("DepositRefused", "DismissGuide") in wanted["guides"]
    assert ("GuideDismissed", "FreeRoom") in wanted["rooms"]
    assert ("DepositReturned", "FreeRoom") not in wanted["rooms"]
