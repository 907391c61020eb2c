"""One fault in one style: processes run, the fault is made, and what came of it is counted."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

from chassis.saga import Style
from testkit.faults import snapshot
from testkit.faults.catalogue import Fault
from testkit.faults.parts import Parts
from testkit.faults.scene import Scene
from testkit.faults.streams import Streams
from testkit.live import Door, letters
from testkit.live.load import Load, again
from testkit.live.waiting import Overdue, lasting, until
from testkit.sagas import violations
from workspace.daprfile import App

#: After the fault is over. Longer than the broker's longest redelivery, twice.
END_SECONDS = 180


@dataclass(frozen=True)
class Result:
    fault: str
    saga: str
    style: str
    injected: int
    #: Processes that were accepted, and of them those that have ended.
    begun: int
    ended: int
    violations: tuple[str, ...]
    dead_letters: int
    recovery_seconds: float


async def run(
    fault: Fault,
    style: Style,
    parts: Parts,
    door: Door,
    count: int,
    random: Random,
    within: float = END_SECONDS,
) -> Result:
    """Once the fault is over, processes and messages get `within` seconds to their end."""
    name = f"FAULT-{time.time_ns():X}"
    load = Load(door, name, style, max(count, fault.at_least), random)
    streams = Streams()
    scene = Scene(parts, streams, door.declared, load, style, random)
    try:
        await load.prepare()
        before = await letters.known(parts.file.apps)
        wrong: list[str] = []
        try:
            await fault.make(scene)
        except Overdue as overdue:
            wrong.append(f"the fault could not be made: {overdue}")
        over = time.monotonic()
        try:
            await load.all_accepted()
        except Overdue as overdue:
            wrong.append(str(overdue))
        await load.all_ended(within)
        recovery = time.monotonic() - max(over, load.last_accepted)
        wrong += await _unsettled(parts.file.apps, streams, within)
        # An end may be stored and not yet sent.
        wrong += await lasting(partial(_violations, scene, before), within)
        kept = await letters.count(parts.file.apps, before)
    finally:
        load.cancel()
        await streams.close()
    return Result(
        fault.name,
        door.declared.saga.name,
        style,
        scene.injected,
        len(load.ids),
        len(load.ended),
        tuple(wrong),
        kept,
        recovery,
    )


async def _unsettled(apps: Mapping[str, App], streams: Streams, within: float) -> list[str]:
    """Nothing is left to do: what follows a process's end is part of the promise."""
    left: dict[str, int] = {}

    async def settled() -> bool:
        left.clear()
        left.update(await streams.unread())
        # Acknowledged, but not done with.
        if retrying := (await letters.kinds(apps))[letters.RETRYING]:
            left["kept by the services, to be tried again"] = retrying
        return not left

    try:
        await until("all messages acknowledged", settled, within)
    except Overdue as overdue:
        return [f"{overdue}: {left}"]
    return []


async def _violations(scene: Scene, before: frozenset[tuple[str, str]]) -> list[str]:
    load = scene.load
    wrong = list(scene.wrong)
    if not scene.injected:
        wrong.append("no fault was injected")
    kept = await letters.count(scene.parts.file.apps, before)
    if kept != scene.poisons:
        wrong.append(f"{kept} dead letters, not {scene.poisons}")
    wrong += await again(
        "what else must hold", partial(load.door.violations, load.run, load.accepted_plans)
    )
    return wrong + violations(scene.declared.saga, await snapshot.take(scene))
