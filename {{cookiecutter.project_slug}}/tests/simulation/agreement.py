"""I7: the orders of one seed in each style in turn, with faults of its own in each."""

from testkit.simulation import Check, Simulation, World
from tests.invariants import Ledger, all_styles_agree, violations
from tests.simulation import plans
from tests.simulation.fulfilment import RUNNERS, Run, Runner, of


class Agreement:
    """Who is served first, and who runs out of time, are questions of luck, not of style.

    So orders do not contend here, and no workflow gives up on a step.
    """

    def __init__(self) -> None:
        self._ledger: dict[str, Ledger] = {}
        self._simulations = [self._simulation(runner) for runner in RUNNERS]

    def explore(self, schedules: int, seed: int = 0) -> None:
        """Raises `AssertionError`, also when I1 to I6 do not hold of one of the styles."""
        for each in range(seed, seed + schedules):
            for simulation in self._simulations:
                simulation.explore(1, each)
            wrong = all_styles_agree(self._ledger)
            assert not wrong, "\n".join([f"seed {each}:", *wrong])

    def _simulation(self, runner: Runner) -> Simulation:
        def play(world: World) -> Check:
            run = Run(world, runner.style, plans.pick(world, contended=False), plans.ENDLESS)
            run.begin()

            def check() -> list[str]:
                self._ledger[str(runner)] = run.ledger()
                return violations(self._ledger[str(runner)])

            return check

        return of(runner, play)
