"""Timers of processes: each is a job of the sidecar's scheduler, so it survives every crash.

A job calls any replica at each interval until it is deleted. It is never late for good: what one
call misses, the next one does.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum, auto

from fastapi import FastAPI

from chassis.ports import Jobs

log = logging.getLogger(__name__)

#: A timer is started before its process is committed, which takes as long as a handler may run.
#: Only what is unknown for much longer never began.
UNKNOWN_SECONDS = 600.0
#: Of these timers, how many are remembered.
MAX_UNKNOWN = 10_000


class Tick(Enum):
    """What a timer finds of its process."""

    GO_ON = auto()
    OVER = auto()
    UNKNOWN = auto()


#: Called with the id of a process.
Due = Callable[[str], Awaitable[Tick]]

#: Between the kind of a timer and the id of its process, in the name of the job.
SEPARATOR = "."


class Timers:
    def __init__(self, app: FastAPI, jobs: Jobs) -> None:
        self._jobs = jobs
        self._due: dict[str, Due] = {}
        #: When this replica was first called by a timer whose process is unknown.
        self._unknown_since: OrderedDict[str, float] = OrderedDict()
        app.add_api_route("/job/{name:path}", self._call, methods=["POST"], include_in_schema=False)

    def on(self, kind: str, due: Due) -> None:
        """`kind` holds no dot."""
        if kind in self._due:
            raise ValueError(f"there is a timer {kind} in this service already")
        self._due[kind] = due

    async def start(self, kind: str, id: str, every: timedelta) -> None:
        """Start the timer, or start it anew. Raises `Unavailable`."""
        await self._jobs.schedule(f"{kind}{SEPARATOR}{id}", every)

    async def stop(self, kind: str, id: str) -> None:
        """Returns too when there is none. Raises `Unavailable`."""
        await self._jobs.delete(f"{kind}{SEPARATOR}{id}")

    async def _call(self, name: str) -> None:
        kind, _, id = name.partition(SEPARATOR)
        due = self._due.get(kind)
        if due is None:
            # A replica of another version may know it: what it is for must not lose its timer.
            log.warning("this version of the service has no timer %s: %s is left alone", kind, name)
            return
        tick = await due(id)
        if tick is Tick.OVER or (tick is Tick.UNKNOWN and self._never_began(name)):
            log.info("timer %s has nothing to do any more", name)
            await self._jobs.delete(name)
        if tick is not Tick.UNKNOWN:
            self._unknown_since.pop(name, None)

    def _never_began(self, name: str) -> bool:
        now = asyncio.get_running_loop().time()
        since = self._unknown_since.setdefault(name, now)
        if len(self._unknown_since) > MAX_UNKNOWN:
            self._unknown_since.popitem(last=False)
        if now - since < UNKNOWN_SECONDS:
            return False
        del self._unknown_since[name]
        return True
