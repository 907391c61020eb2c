"""Orders in all three styles at once, and whether they add up: python traffic.py COUNT SECONDS

Runs in a workspace whose services are up: COUNT orders in each style, placed over so many seconds,
each sent again until it is accepted. Prints "flowing" once a fifth of them is accepted, and then
one line of JSON; whatever it names in "wrong" must not be.
"""

import asyncio
import json
import sys
import time
from dataclasses import replace
from random import Random

import aiohttp

from tests.demo import books, checks
from tests.demo.client import Client, Refused
from tests.demo.mix import Shelf
from tests.faults import letters
from tests.faults.load import GOODS, Load, again
from tests.faults.waiting import Overdue
from tests.invariants import violations
from workspace.daprfile import DaprFile

STYLES = ("choreography", "orchestration", "hybrid")
#: Longer than the broker's longest redelivery, twice, and than three silent steps of a workflow.
END_SECONDS = 250


async def main(count: int, seconds: float) -> None:
    apps = DaprFile().apps
    client = Client(apps)
    began = time.monotonic()
    run = f"DEPLOY-{time.time_ns():X}"
    loads = [
        Load(client, f"{run}-{style[0].upper()}", style, count, Random(run)) for style in STYLES
    ]
    wrong: list[str] = []
    try:
        before = await again("dead letters", lambda: letters.count(apps))
        for load in loads:
            await load.stock()
        await asyncio.gather(*(flow(load, range(1, 3), seconds) for load in loads))
        await asyncio.gather(*(load.accepted(max(1, count // 5)) for load in loads))
        print("flowing", flush=True)
        await asyncio.gather(*(flow(load, range(3, 11), seconds) for load in loads))
        for load in loads:
            await load.all_accepted()
            await load.all_ended(END_SECONDS)
            wrong += [f"{load.run}: {line}" for line in await does_not_add_up(client, load)]
        # A service may still be on its way back.
        if kept := await again("dead letters", lambda: letters.count(apps)) - before:
            wrong.append(f"{kept} dead letters")
    except Overdue as overdue:
        wrong.append(str(overdue))
    finally:
        await client.close()
    took = time.monotonic() - began
    print(json.dumps({"orders": len(STYLES) * count, "seconds": round(took, 1), "wrong": wrong}))


async def flow(load: Load, waves: range, seconds: float) -> None:
    """These of the ten waves in which all orders are placed over so many seconds."""
    for wave in waves:
        load.begin(wave / 10)
        await asyncio.sleep(seconds / 10)


async def does_not_add_up(client: Client, load: Load) -> list[str]:
    ids = {plan.key: load.ids[plan.key] for plan in load.plans}
    views = {key: load.views[id] for key, id in ids.items() if id in load.views}
    wrong = [
        line
        for plan in load.plans
        if ids[plan.key] in load.ended
        for line in checks.ends_as_expected(plan, views[plan.key])
    ]
    wrong += [await shown(client, id) for id in ids.values() if id not in load.views]
    shelf = Shelf(load.run)
    goods = {**dict.fromkeys(shelf.plenty, GOODS), shelf.empty: 0}
    known = await again("the books", lambda: books.read(client, load.run, load.plans, views))
    return wrong + violations(replace(known, goods=goods))


async def shown(client: Client, order_id: str) -> str:
    """What the orders service says about an order that it accepted and never showed."""
    try:
        answer = await client.get("orders", f"/orders/{order_id}")
    except (Refused, aiohttp.ClientError, TimeoutError) as error:
        return f"order {order_id} cannot be read: {error!r}"
    return f"order {order_id} was accepted, and there is no such order: {answer}"


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
