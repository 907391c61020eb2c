"""Waiting for something to become true, never for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from workspace.errors import StackError

POLL_SECONDS = 0.1


LOOK_AGAIN_SECONDS = 1


class Overdue(StackError):
    """What was waited for did not happen in time; says what it was."""


async def until(what: str, is_so: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Return once it is so. Raises `Overdue` after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            # Nothing tells us when, so it is asked.
            while not await is_so():  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise Overdue(f"{what}: not within {seconds:.0f} s") from None


async def lasting(found: Callable[[], Awaitable[list[str]]], seconds: float) -> list[str]:
    """What is wrong, once nothing is, or else when the time ends."""
    deadline = time.monotonic() + seconds
    while True:
        wrong = await found()
        if not wrong or time.monotonic() > deadline:
            return wrong
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
