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

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, size: int, seconds: float | None = None) -> AsyncIterator[None]:
        """Raises `Busy` when there is no room in time, by default `WAIT_SECONDS`."""
        size = min(size, self._limit)
        if self._waiting or self._held + size > self._limit:
            await self._wait(size, WAIT_SECONDS if seconds is None else seconds)
        else:
            self._held += size
        try:
            yield
        finally:
            self._give_back(size)

    async def _wait(self, size: int, seconds: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            async with asyncio.timeout(seconds):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            # It may have got its turn at that same moment; if not, it is in nobody's way any more.
            self._give_back(0 if turn.cancelled() else size)
            if isinstance(error, TimeoutError):
                raise Busy(
                    f"too much is being handled: no room for {size} bytes in {seconds:.0f} s"
                ) from error
            raise

    def _give_back(self, size: int) -> None:
        self._held -= size
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.done():
                if self._held + size > self._limit:
                    return
                self._held += size
                turn.set_result(None)
            self._waiting.popleft()
