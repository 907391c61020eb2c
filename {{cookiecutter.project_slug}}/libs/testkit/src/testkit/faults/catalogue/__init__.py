"""The faults, each a coroutine that makes it while processes run; its docstring is what it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import getdoc

from testkit.faults.catalogue import between, kills, messages, outages
from testkit.faults.parts import Parts
from testkit.faults.scene import Scene

Make = Callable[[Scene], Awaitable[None]]


# What these kill may be in a container, or may have been there before.
KILLS: dict[Make, Callable[[Parts], bool]] = {
    outages.broker_killed: lambda parts: parts.broker is not None,
    outages.control_plane_killed: lambda parts: None not in (parts.placement, parts.scheduler),
}

# More than a sidecar has workers (components/pubsub/redis): all of them are in use when it ends.
AT_LEAST: dict[Make, int] = {outages.app_away: 200}


@dataclass(frozen=True)
class Fault:
    name: str
    make: Make
    #: What it takes to be a fault at all, if that is more than others need.
    at_least: int = 0

    def can_be_made(self, parts: Parts) -> bool:
        """False if it would kill what this command has not started."""
        runs = KILLS.get(self.make)
        return runs is None or runs(parts)

    @property
    def description(self) -> str:
        return (getdoc(self.make) or "").partition("\n")[0].rstrip(".")


def _named(*functions: Make) -> dict[str, Fault]:
    names = [getattr(function, "__name__", "").replace("_", "-") for function in functions]
    return {
        name: Fault(name, make, AT_LEAST.get(make, 0))
        for name, make in zip(names, functions, strict=True)
    }


FAULTS = _named(
    messages.duplicates,
    messages.out_of_order,
    messages.poison,
    messages.slow_handler,
    messages.lost_reply,
    between.refused_in_between,
    kills.participant_killed,
    kills.initiator_killed,
    kills.host_killed,
    kills.compensation_killed,
    kills.sidecar_killed,
    outages.app_away,
    outages.broker_killed,
    outages.store_locked,
    outages.control_plane_killed,
    outages.rolling_restart,
)
