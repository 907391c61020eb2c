"""Timers of processes: each is a job of the sidecar's scheduler, so it survives every crash.

A job calls any replica at each interval until it is deleted. It is never late for good: what one
call misses, the next one does.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from fastapi import FastAPI
from pydantic import BaseModel

from chassis.ports import Clock, Jobs

log = logging.getLogger(__name__)

#: Called with the id of a process, and for how long its timer runs; returns whether it goes on.
Due = Callable[[str, timedelta], Awaitable[bool]]

#: Between the kind of a timer and the id of its process, in the name of the job.
SEPARATOR = "."


class Started(BaseModel):
    """What a job carries: when its timer was started last."""

    at: datetime


class Timers:
    def __init__(self, app: FastAPI, jobs: Jobs, clock: Clock) -> None:
        self._jobs, self._clock = jobs, clock
        self._due: dict[str, Due] = {}
        app.add_api_route("/job/{name:path}", self._call, methods=["POST"], include_in_schema=False)

    def on(self, kind: str, due: Due) -> None:
        """`kind` holds no dot."""
        if kind in self._due:
            raise ValueError(f"there is a timer {kind} in this service already")
        self._due[kind] = due

    async def start(self, kind: str, id: str, every: timedelta) -> None:
        """Start the timer, or start it anew. Raises `Unavailable`."""
        started = Started(at=self._clock.now()).model_dump_json().encode()
        await self._jobs.schedule(f"{kind}{SEPARATOR}{id}", every, started)

    async def stop(self, kind: str, id: str) -> None:
        """Returns too when there is none. Raises `Unavailable`."""
        await self._jobs.delete(f"{kind}{SEPARATOR}{id}")

    async def _call(self, name: str, started: Started) -> None:
        kind, _, id = name.partition(SEPARATOR)
        due = self._due.get(kind)
        if due is None:
            # A replica of another version may know it: what it is for must not lose its timer.
            log.warning("this version of the service has no timer %s: %s is left alone", kind, name)
            return
        if not await due(id, self._clock.now() - started.at):
            log.info("timer %s has nothing to do any more", name)
            await self._jobs.delete(name)
