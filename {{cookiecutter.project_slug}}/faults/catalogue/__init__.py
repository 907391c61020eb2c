"""The faults, each a coroutine that makes it while orders flow; its docstring is what it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import getdoc

from faults.catalogue import kills, messages, outages
from faults.scene import Scene

Make = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    name: str
    make: Make

    @property
    def description(self) -> str:
        return (getdoc(self.make) or "").partition("\n")[0].rstrip(".")


def _named(*functions: Make) -> dict[str, Fault]:
    names = [getattr(function, "__name__", "").replace("_", "-") for function in functions]
    return {name: Fault(name, make) for name, make in zip(names, functions, strict=True)}


FAULTS = _named(
    messages.duplicates,
    messages.out_of_order,
    messages.poison,
    messages.slow_handler,
    messages.lost_reply,
    kills.participant_killed,
    kills.orders_killed,
    kills.host_killed,
    kills.compensation_killed,
    kills.sidecar_killed,
    outages.app_away,
    outages.broker_killed,
    outages.store_locked,
    outages.control_plane_killed,
    outages.rolling_restart,
)
