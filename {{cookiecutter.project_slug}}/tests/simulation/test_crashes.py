"""The initiator crashes once, at each point of a process: before what it does, and after."""

from collections.abc import Sequence

import pytest

from testkit.simulation import Check, Simulation, World
from testkit.simulation.faults import CRASHES, Fault
from tests.examples import order_of
from tests.invariants import violations
from tests.simulation import plans
from tests.simulation.fulfilment import RUNNERS, Run, Runner, of

#: One that completes, and one of which everything is undone.
PLANS = [
    plans.Plan("order-1", order_of({plans.PLENTY: 2})),
    plans.Plan("order-1", order_of({plans.PLENTY: 2}, country="AQ")),
]
#: Fewer than any process has.
POINTS = 10


def simulation(runner: Runner, plan: plans.Plan) -> Simulation:
    def play(world: World) -> Check:
        run = Run(world, runner.style, [plan], plans.LONG)
        run.begin()
        return lambda: violations(run.ledger())

    return of(runner, play)


class Crash:
    """One fault, at the nth place where it can hit the service that initiates."""

    def __init__(self, fault: Fault, place: int) -> None:
        self.fault, self.left = fault, place
        self.is_made = False

    def at(self, world: World, who: str, what: str, can_fail: Sequence[Fault]) -> Fault:
        fault = Fault.NONE
        if who.startswith("orders-") and self.fault in can_fail:
            self.left -= 1
            if self.left < 0 and not self.is_made:
                self.is_made, fault = True, self.fault
        world.record(who, what, fault)
        return fault


@pytest.mark.parametrize("fault", CRASHES)
@pytest.mark.parametrize("plan", PLANS, ids=["completes", "is-undone"])
@pytest.mark.parametrize("runner", RUNNERS, ids=str)
def test_a_process_ends_as_it_must_wherever_its_initiator_crashes(
    monkeypatch: pytest.MonkeyPatch, runner: Runner, plan: plans.Plan, fault: Fault
) -> None:
    simulated = simulation(runner, plan)
    for place in range(10 * POINTS):
        crash = Crash(fault, place)
        monkeypatch.setattr(World, "fault", lambda *arguments, crash=crash: crash.at(*arguments))
        run = simulated.replay([])
        assert run.violations == [], "\n".join([f"place {place}", *run.violations, *run.story])
        if not crash.is_made:
            break
    assert place > POINTS
