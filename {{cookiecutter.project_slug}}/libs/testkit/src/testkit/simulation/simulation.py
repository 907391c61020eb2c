"""Explore many schedules of one scenario, shrink one that breaks, and tell its story."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from chassis.composing import Ports
from testkit.simulation.choices import Choices, Given, Seeded
from testkit.simulation.histories import Recording, differences, recordings
from testkit.simulation.process import Member
from testkit.simulation.shrink import shrink, trimmed
from testkit.simulation.workspace import Composition, compose, ports, simulated
from testkit.simulation.world import World

#: What must hold once nothing happens any more: one line for each thing that does not.
Check = Callable[[], list[str]]
#: What happens, recorded in the world; returns what must hold afterwards.
Scenario = Callable[[World], Check]
#: The simulated ports, some of them replaced for what a scenario is about.
Changed = Callable[[Ports], Ports]

#: The length of a run is measured on so many.
CALIBRATIONS = 16
#: Of so many schedules one runs each turn of a workflow twice; a replay always does.
TWICE = 10


def unchanged(ports: Ports) -> Ports:
    return ports


@dataclass(frozen=True, slots=True)
class Run:
    violations: list[str]
    choices: list[int]
    story: list[str]
    points: int
    #: Of all workflows of the run.
    recordings: list[Recording]


class Broken(AssertionError):
    """A schedule after which something does not hold, as short as it could be made."""

    def __init__(self, seed: int, run: Run) -> None:
        self.seed, self.run = seed, run
        super().__init__(
            "\n".join(
                [
                    *run.violations,
                    "",
                    f"seed {seed}, {sum(map(bool, run.choices))} choices out of the ordinary:",
                    *run.story,
                    "",
                    f"again: explore(1, {seed}), or replay({trimmed(run.choices)})",
                ]
            )
        )


class Simulation:
    """`services` under `scenario`, each service as so many replicas."""

    def __init__(
        self,
        services: Sequence[Composition],
        scenario: Scenario,
        *,
        replicas: int = 2,
        workflows: bool = True,
        changed: Changed = unchanged,
    ) -> None:
        """`workflows=False` saves the time that it takes to host them where none is begun."""
        self._services = services
        self._scenario = scenario
        self._replicas = replicas
        self._workflows = workflows
        self._ports = changed(ports())

    def explore(self, schedules: int, seed: int = 0) -> None:
        """Run the schedules of so many seeds from this one on. Raises `Broken`."""
        with simulated():
            for each in range(seed, seed + schedules):
                run = self._run(Seeded(each, self._expected), twice=each % TWICE == 0)
                if run.violations:
                    raise Broken(each, self._shrunk(run))

    def replay(self, choices: Sequence[int]) -> Run:
        """The run that these choices make, whatever comes of it."""
        with simulated():
            return self._run(Given(choices))

    def seeded(self, seed: int) -> Run:
        """The run of one seed, whatever comes of it."""
        with simulated():
            return self._run(Seeded(seed, self._expected))

    def compare(self, recordings: Iterable[Recording]) -> list[str]:
        """What the workflows would now do differently from what they did: none if all is well."""
        with simulated():
            world = World(self.members, Choices())
            try:
                return [
                    line
                    for recording in recordings
                    for line in differences(recording, world.worker_of(recording.app_id))
                ]
            finally:
                world.end()

    @cached_property
    def members(self) -> dict[str, list[Member]]:
        return compose(self._services, self._replicas, self._ports)

    @cached_property
    def _expected(self) -> int:
        """Places for a fault in a run. It follows from the code alone, so a seed stays a run.

        A fault makes a run longer, so what is measured is runs that have met some; and the longest
        of them counts, for what is undone is undone last.
        """
        dull = [self._run(Seeded(each, 0)).points for each in range(CALIBRATIONS)]
        unlucky = [self._run(Seeded(each, max(dull))).points for each in range(CALIBRATIONS)]
        return max(1, *unlucky)

    def _run(self, choices: Choices, *, twice: bool = True) -> Run:
        world = World(self.members, choices, workflows=self._workflows, twice=twice)
        try:
            check = self._scenario(world)
            world.run()
            violations = world.violations + check()
        finally:
            world.end()
        return Run(violations, choices.made, world.story, choices.points, recordings(world.engine))

    def _shrunk(self, run: Run) -> Run:
        # Another way to break is another story: it must begin with the same words.
        kind = run.violations[0].partition(":")[0]

        def breaks(choices: Sequence[int]) -> Run | None:
            again = self._run(Given(choices))
            same = any(each.partition(":")[0] == kind for each in again.violations)
            return again if same else None

        return shrink(run, breaks)


def schedules(default: int) -> int:
    """How many schedules to run: the environment's SCHEDULES, or the default of the test."""
    return int(os.environ.get("SCHEDULES", default))
