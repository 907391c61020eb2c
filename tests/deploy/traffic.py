"""Orders in all three styles at once, and whether they add up: python traffic.py COUNT SECONDS

Runs in a workspace whose services are up: COUNT orders in each style, placed over so many seconds,
each sent again until it is accepted. Prints "flowing" once a fifth of them is accepted, and then
one line of JSON; whatever it names in "wrong" must not be.
"""

import asyncio
import json
import sys
import time
from functools import partial
from random import Random

from chassis.saga import Style
from testkit.live import letters
from testkit.live.load import Load, again
from testkit.live.waiting import Overdue
from tests.plans import ORDERS, Orders
from workspace.daprfile import DaprFile

STYLES = tuple(Style)
#: Longer than the broker's longest redelivery, twice, and than three silent steps of a workflow.
END_SECONDS = 250


async def main(count: int, seconds: float) -> None:
    apps = DaprFile().apps
    door = Orders(ORDERS, apps)
    began = time.monotonic()
    run = f"DEPLOY-{time.time_ns():X}"
    loads = [Load(door, f"{run}-{style[0].upper()}", style, count, Random(run)) for style in STYLES]
    wrong: list[str] = []
    try:
        before = await again("dead letters", lambda: letters.count(apps))
        for load in loads:
            await load.prepare()
        await asyncio.gather(*(flow(load, range(1, 3), seconds) for load in loads))
        await asyncio.gather(*(load.accepted(max(1, count // 5)) for load in loads))
        print("flowing", flush=True)
        await asyncio.gather(*(flow(load, range(3, 11), seconds) for load in loads))
        for load in loads:
            await load.all_accepted()
            await load.all_ended(END_SECONDS)
            judge = partial(door.violations, load.run, load.accepted_plans)
            wrong += [f"{load.run}: {line}" for line in await again("the ledger", judge)]
        # A service may still be on its way back.
        if kept := await again("dead letters", lambda: letters.count(apps)) - before:
            wrong.append(f"{kept} dead letters")
    except Overdue as overdue:
        wrong.append(str(overdue))
    finally:
        await door.client.close()
    took = time.monotonic() - began
    print(json.dumps({"orders": len(STYLES) * count, "seconds": round(took, 1), "wrong": wrong}))


async def flow(load: Load, waves: range, seconds: float) -> None:
    """These of the ten waves in which all orders are placed over so many seconds."""
    for wave in waves:
        load.begin(wave / 10)
        await asyncio.sleep(seconds / 10)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
