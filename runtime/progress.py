"""Says what is going on, on stderr; stdout belongs to the path."""

import os
import sys
import time

_TERMINAL_SECONDS = 0.2
_PLAIN_SECONDS = 15.0


class Progress:
    """One line that is rewritten on a terminal, a plain line now and then in a log."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._shown = self._started if not self._terminal else 0.0

    def say(self, message: str) -> None:
        """Write a line that stays."""
        print(f"{self._clear()}runtime: {message}", file=sys.stderr, flush=True)

    def update(self, state: str) -> None:
        """Show how far the work is; call it as often as you like."""
        now = time.monotonic()
        if now - self._shown < (_TERMINAL_SECONDS if self._terminal else _PLAIN_SECONDS):
            return
        self._shown = now
        minutes, seconds = divmod(int(now - self._started), 60)
        line = f"runtime: [{minutes:02}:{seconds:02}] {state}"
        if self._terminal:
            # A wrapped line could not be rewritten.
            width = _columns() - 1
            print(f"{self._clear()}{line[:width]}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave no half-written line behind."""
        print(self._clear(), end="", file=sys.stderr, flush=True)

    def _clear(self) -> str:
        return "\r\x1b[K" if self._terminal else ""


def _columns() -> int:
    # shutil.get_terminal_size asks stdout, which is a pipe when a Makefile reads the path.
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80
