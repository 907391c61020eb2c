"""Bytes that may be held at once. JSON becomes up to thirty times as many in Python's memory."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.errors import Busy

#: Longer than a commit takes, and not so long that callers pile up.
WAIT_SECONDS = 10.0


class ByteBudget:
    """A semaphore in bytes: whoever asks for more than is left waits for its turn.

    What is larger than the whole budget gets all of it.
    """

    def __init__(self, limit: int, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._limit = limit
        self._wait_seconds = wait_seconds
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, size: int, seconds: float | None = None) -> AsyncIterator["Held"]:
        """Raises `Busy` when there is no room in time."""
        needed = min(size, self._limit)
        if self._has_room(needed):
            self._held += needed
        else:
            await self._wait(needed, self._wait_seconds if seconds is None else seconds)
        held = Held(self, size)
        try:
            yield held
        finally:
            held.release()

    def take(self, size: int) -> None:
        """Raises `Busy` when there is no room now."""
        needed = min(size, self._limit)
        if not self._has_room(needed):
            raise Busy(f"too much is being handled: no room for {size} bytes now")
        self._held += needed

    def _has_room(self, size: int) -> bool:
        return not self._waiting and self._held + size <= self._limit

    async def _wait(self, size: int, seconds: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            async with asyncio.timeout(seconds):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            # It may have got its turn at that same moment; if not, it is in nobody's way any more.
            self.give_back(0 if turn.cancelled() else size)
            if isinstance(error, TimeoutError):
                raise Busy(
                    f"too much is being handled: no room for {size} bytes in {seconds:.0f} s"
                ) from error
            raise

    def give_back(self, size: int) -> None:
        self._held -= min(size, self._limit)
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.done():
                if self._held + size > self._limit:
                    return
                self._held += size
                turn.set_result(None)
            self._waiting.popleft()


class Held:
    """What is held of a budget, until it is released or its block ends."""

    def __init__(self, budget: ByteBudget, size: int) -> None:
        self._budget: ByteBudget | None = budget
        self._size = size

    def move(self, other: ByteBudget) -> None:
        """Hold it of another budget instead. Raises `Busy` when that has no room now."""
        if self._budget is not None:
            other.take(self._size)
            self.release()
            self._budget = other

    def release(self) -> None:
        if self._budget is not None:
            self._budget.give_back(self._size)
            self._budget = None
