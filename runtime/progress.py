"""Messages and progress, all on stderr: stdout is for the path alone."""

import shutil
import sys
import time

TTY_PAUSE = 0.2
LOG_PAUSE = 15.0


class Progress:
    """One rewritten line on a terminal; elsewhere a plain line every 15 seconds."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._last = float("-inf")
        self._tty = sys.stderr.isatty()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._write(f"runtime: {text}\n")

    def show(self, text: str) -> None:
        """Where the work stands. Call it often; it prints only as often as is useful."""
        now = time.monotonic()
        if now - self._last < (TTY_PAUSE if self._tty else LOG_PAUSE):
            return
        self._last = now
        minutes, seconds = divmod(int(now - self._start), 60)
        line = f"runtime: [{minutes}:{seconds:02}] {text}"
        # A line that wraps cannot be rewritten.
        self._write(line[: shutil.get_terminal_size().columns - 1] if self._tty else line + "\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}" if self._tty else text)
        sys.stderr.flush()
