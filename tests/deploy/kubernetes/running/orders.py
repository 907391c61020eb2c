"""Orders in the three styles at once, sent to a cluster; run in the environment of the workspace.

Standard input is a JSON object: `urls` of the services by name, a `name` that no other run has,
`count` of orders in each style, `seconds` over which they are placed. A line `placing` says that
the first of them are on their way; the last line is a JSON object: `ended`, the seconds of the
`slowest`, and `wrong`, what does not add up.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from chassis.saga import Style
from testkit.live import letters, load
from testkit.live.load import Load, again
from tests.plans import ORDERS, Orders

STYLES = tuple(Style)
END_SECONDS = 240


@dataclass(frozen=True)
class Address:
    url: str


async def run(urls: dict[str, str], name: str, count: int, seconds: float) -> dict[str, Any]:
    load.BEGINNING_SECONDS = seconds
    addresses: Any = {service: Address(url) for service, url in urls.items()}
    door = Orders(ORDERS, addresses)
    loads = [Load(door, f"{name}-{style[0].upper()}", style, count, Random(1)) for style in STYLES]
    try:
        for each in loads:
            await each.prepare()
        for each in loads:
            each.begin()
        print("placing", flush=True)
        await asyncio.gather(*(each.all_accepted() for each in loads))
        await asyncio.gather(*(each.all_ended(END_SECONDS) for each in loads))
        wrong = [line for each in loads for line in await judge(each)]
        kept = await again("dead letters", partial(letters.count, addresses))
        if kept:
            wrong.append(f"{kept} dead letters")
    finally:
        await door.client.close()
    slowest = max(each.slowest_seconds for each in loads)
    return {"ended": sum(len(each.ended) for each in loads), "slowest": slowest, "wrong": wrong}


async def judge(each: Load) -> list[str]:
    missing = [id for id in each.ids.values() if id not in each.ended]
    if missing:
        return [f"{each.run}: {len(missing)} orders have not ended, the first is {missing[0]}"]
    judged = partial(each.door.violations, each.run, each.accepted_plans)
    return list(await again(f"ledger of {each.run}", judged))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(**json.load(sys.stdin)))), flush=True)
