"""Virtual time: it stands still until somebody moves it on to the next timer."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2030, 1, 1, tzinfo=UTC)


class Timer:
    """Something that is due at a time, unless it is cancelled before. What asyncio asks of one."""

    __slots__ = ("_when", "cancelled", "run")

    def __init__(self, when: float, run: Callable[[], None]) -> None:
        self._when = when
        self.run = run
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def when(self) -> float:
        return self._when


class Clock:
    def __init__(self) -> None:
        #: Seconds since the start.
        self.now = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        # Timers that are due at the same time run in the order in which they were set.
        self._order = count()

    @property
    def time(self) -> datetime:
        return START + timedelta(seconds=self.now)

    def at(self, when: float, run: Callable[[], None]) -> Timer:
        timer = Timer(when, run)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def next(self) -> float | None:
        """When the next timer is due, or None when there is none."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self) -> None:
        """Move on to the next timer, and run it."""
        when, _, timer = heapq.heappop(self._timers)
        self.now = max(self.now, when)
        if not timer.cancelled:
            timer.run()
