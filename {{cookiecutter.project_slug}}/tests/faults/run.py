"""One fault in one style: orders flow, the fault is made, and what came of it is counted."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from tests.demo import checks
from tests.demo.client import Client
from tests.faults import letters, snapshot
from tests.faults.catalogue import Fault
from tests.faults.load import Load
from tests.faults.parts import Parts
from tests.faults.scene import Scene
from tests.faults.streams import Streams
from tests.faults.waiting import Overdue, until
from tests.invariants import violations
from workspace.daprfile import App

#: After the fault is over. Longer than the broker's longest redelivery, twice.
END_SECONDS = 180
LOOK_AGAIN_SECONDS = 1


@dataclass(frozen=True)
class Result:
    fault: str
    style: str
    injected: int
    orders: int
    ended: int
    violations: tuple[str, ...]
    dead_letters: int
    recovery_seconds: float


async def run(
    fault: Fault,
    style: str,
    parts: Parts,
    client: Client,
    count: int,
    random: Random,
    patience: float = END_SECONDS,
) -> Result:
    """Once the fault is over, orders and messages get `patience` seconds to come to their end."""
    name = f"FAULT-{time.time_ns():X}"
    load = Load(client, name, style, max(count, fault.at_least_orders), random)
    streams = Streams()
    scene = Scene(parts, streams, load, style, random)
    try:
        await load.stock()
        before = await letters.count(parts.file.apps)
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
        await load.all_ended(patience)
        recovery = time.monotonic() - max(over, load.last_accepted)
        wrong += await _unsettled(parts.file.apps, streams, patience)
        wrong += await _violations(scene, client, before, patience)
        kept = await letters.count(parts.file.apps) - before
    finally:
        load.cancel()
        await streams.close()
    return Result(
        fault.name,
        style,
        scene.injected,
        len(load.ids),
        len(load.ended),
        tuple(wrong),
        kept,
        recovery,
    )


async def _unsettled(apps: Mapping[str, App], streams: Streams, patience: float) -> list[str]:
    """Nothing is left to do: what follows an order's end is part of the promise."""
    left: dict[str, int] = {}

    async def settled() -> bool:
        left.clear()
        left.update(await streams.unread())
        # Acknowledged, but not done with.
        if retrying := (await letters.kinds(apps))[letters.RETRYING]:
            left["kept by the services, to be tried again"] = retrying
        return not left

    try:
        await until("all messages acknowledged", settled, patience)
    except Overdue as overdue:
        return [f"{overdue}: {left}"]
    return []


async def _violations(scene: Scene, client: Client, before: int, patience: float) -> list[str]:
    """What still does not add up when the patience ends: an end may be stored and not yet sent."""
    deadline = time.monotonic() + patience
    while True:
        wrong = await _violations_now(scene, client, before)
        if not wrong or time.monotonic() > deadline:
            return wrong
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _violations_now(scene: Scene, client: Client, before: int) -> list[str]:
    load = scene.load
    wrong = list(scene.wrong)
    if not scene.injected:
        wrong.append("no fault was injected")
    kept = await letters.count(scene.parts.file.apps) - before
    if kept != scene.poisons:
        wrong.append(f"{kept} dead letters, not {scene.poisons}")
    # I7: how an order ends follows from what was ordered, not from its style or from a fault.
    for plan in load.accepted_plans:
        if (order_id := load.ids[plan.key]) in load.ended:
            wrong += checks.ends_as_expected(plan, load.views[order_id])
    return wrong + violations(await snapshot.take(client, scene.streams, load))
