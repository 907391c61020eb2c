"""x"""

from chassis.simulation.simulation import Broken, Check, Run, Scenario, Simulation, schedules
from chassis.simulation.world import World

__all__ = ["Broken", "Check", "Run", "Scenario", "Simulation", "World", "schedules"]
