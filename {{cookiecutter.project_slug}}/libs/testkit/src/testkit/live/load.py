"""Processes that are begun while a fault is made: each is sent until it is accepted."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from random import Random
from typing import TypeVar

import aiohttp

from chassis.saga import Progress, Style
from testkit.live.door import Away, Door, Plan
from testkit.live.waiting import Overdue, until

#: All are begun over this long, so that a fault meets some of them at each of their steps.
BEGINNING_SECONDS = 4.0
ACCEPT_SECONDS = 150
AGAIN_SECONDS = 0.25
CONCURRENCY = 32
#: So many times the plans may be begun by a fault that too few of them reach.
MOST = 4

T = TypeVar("T")
R = TypeVar("R")


class Load:
    """The processes of one fault in one style. Keys make it safe to send each again."""

    def __init__(self, door: Door, run: str, style: Style, count: int, random: Random) -> None:
        self.door, self.run, self.count = door, run, count
        plans = door.plans(run, style, count * MOST)
        self.plans, self._spare = list(plans[:count]), list(plans[count:])
        random.shuffle(self.plans)
        #: By the key of its plan.
        self.ids: dict[str, str] = {}
        #: As the initiator's record showed them last, by id.
        self.views: dict[str, Progress] = {}
        self.last_accepted = 0.0
        self._beginning: list[asyncio.Task[None]] = []
        self._begun = 0

    async def prepare(self) -> None:
        await again("what the plans need", partial(self.door.prepare, self.run, self.count * MOST))

    def begin(self, part: float = 1.0) -> None:
        """Begin processes up to this part of all, in the background; see `all_accepted`."""
        upto = max(1, round(part * len(self.plans)))
        plans, self._begun = self.plans[self._begun : upto], max(self._begun, upto)
        if plans:
            self._beginning.append(asyncio.create_task(self._begin(plans)))

    def more(self) -> None:
        """Plan half as many again, and begin all that are planned; at most `MOST` times."""
        more = self.count // 2 + 1
        self.plans += self._spare[:more]
        del self._spare[:more]
        self.begin()

    async def accepted(self, count: int) -> None:
        """Once so many are accepted. Raises `Overdue`."""

        async def enough() -> bool:
            return len(self.ids) >= count

        await until(f"{count} processes accepted", enough, ACCEPT_SECONDS)

    async def all_accepted(self) -> None:
        """Raises `Overdue` with what the last refusal said."""
        self.begin()
        await asyncio.gather(*self._beginning)

    @property
    def accepted_plans(self) -> dict[str, Plan]:
        """By id."""
        return {self.ids[plan.key]: plan for plan in self.plans if plan.key in self.ids}

    async def all_ended(self, seconds: float) -> None:
        """Returns after so many seconds at the latest; `ended` holds the ids of those that have."""

        async def asked() -> bool:
            waiting = [id for id in self.ids.values() if id not in self.ended]
            found = await each(waiting, self.door.look)
            self.views |= {
                id: view for id, view in zip(waiting, found, strict=True) if view is not None
            }
            return len(self.ended) == len(self.ids)

        try:
            await until("all processes ended", asked, seconds)
        except Overdue:
            return

    @property
    def ended(self) -> frozenset[str]:
        return frozenset(id for id, view in self.views.items() if view.has_ended)

    @property
    def slowest_seconds(self) -> float:
        """From the start to the end, of those that have ended."""
        return max((seconds(self.views[id]) or 0.0 for id in self.ended), default=0.0)

    def cancel(self) -> None:
        for task in self._beginning:
            task.cancel()

    async def _begin(self, plans: Iterable[Plan]) -> None:
        tasks = []
        for plan in plans:
            tasks.append(asyncio.create_task(self._accept(plan)))
            await asyncio.sleep(BEGINNING_SECONDS / len(self.plans))
        await asyncio.gather(*tasks)

    async def _accept(self, plan: Plan) -> None:
        self.ids[plan.key] = await again(f"{plan.key}", partial(self.door.begin, plan))
        self.last_accepted = time.monotonic()


def seconds(view: Progress) -> float | None:
    """From its start to its end."""
    if view.started_at is None or view.ended_at is None:
        return None
    return (view.ended_at - view.started_at).total_seconds()


async def again(what: str, call: Callable[[], Awaitable[T]], seconds: float = ACCEPT_SECONDS) -> T:
    """Until it succeeds. Raises `Overdue` with the last refusal."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except (Away, aiohttp.ClientError, OSError, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise Overdue(f"{what}: refused for {seconds:.0f} s: {error!r}") from error
        await asyncio.sleep(AGAIN_SECONDS)


async def each(items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """The results in the order of the items, with a bounded number under way."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one(item: T) -> R:
        async with slots:
            return await work(item)

    return await asyncio.gather(*(one(item) for item in items))
