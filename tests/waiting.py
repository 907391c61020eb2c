"""How the tests wait for what takes its time."""

import time
from collections.abc import Callable


def wait_until(
    what: str,
    holds: Callable[[], bool],
    seconds: float,
    check: Callable[[], None] = lambda: None,
    state: Callable[[], str] = str,
) -> None:
    """Raises AssertionError with what did not come true, and the state that there is then.

    `check` may end the waiting with an error of its own.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        check()
        assert time.monotonic() < deadline, (
            f"{what}: not within {seconds:.0f} s\n{state()}".rstrip()
        )
        time.sleep(0.2)
