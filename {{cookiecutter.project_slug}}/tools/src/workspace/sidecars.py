"""What the sidecars say of themselves: `dapr run -f .` writes their logs to .dapr/logs."""

import re
from collections.abc import Iterator
from pathlib import Path

from workspace.daprfile import ROOT
from workspace.errors import StackError
from workspace.processes import tail

LOGS = ROOT / ".dapr" / "logs"

FATAL = re.compile(r'level=fatal msg="(?P<why>.*?)" app_id=(?P<app>\S+)')
# Of the CLI, in the log of the app.
ENDED = re.compile(r"The App process exited with error code: (?P<why>.*)")
# Only a warning of daprd, which goes on without what is in that file.
UNREAD = re.compile(r'when parsing manifests yaml resource in (?P<why>.*?)" app_id=(?P<app>\S+)')


def require_no_app_ended(since: float) -> None:
    """Raises `StackError` with the last lines of an app, started since then, that ended by itself.

    `dapr run` goes on without it.
    """
    for log, said in _written("*_app_*.log", since):
        if found := ENDED.search(said):
            app = log.name.partition("_app_")[0]
            raise StackError(f"{app} ended, {found['why']}. What it said:\n{tail(log)}")


def require_none_gave_up(since: float) -> None:
    """Raises `StackError` with the line in which a sidecar, started since then, gave up.

    A component that cannot reach its server, or is given a wrong password, ends its sidecar; one
    that it does not understand is missing ever after.
    """
    for log, said in _written("*_daprd_*.log", since):
        if found := FATAL.search(said):
            # Dapr wraps an error in itself; the last part is what the server said.
            why = _unquoted(found).rsplit("[INIT_COMPONENT_FAILURE]: ", 1)[-1]
            raise StackError(f"the sidecar of {found['app']} gave up: {why}\nIts log: {log}")
        if found := UNREAD.search(said):
            raise StackError(
                f"the sidecar of {found['app']} does not understand {_unquoted(found)}\n"
                f"Correct that file. Its log: {log}"
            )


def _written(names: str, since: float) -> Iterator[tuple[Path, str]]:
    """The logs of these names that were written to since then, and what is in them."""
    for log in LOGS.glob(names):
        if log.stat().st_mtime >= since:
            yield log, log.read_text(errors="replace")


def _unquoted(found: re.Match[str]) -> str:
    return found["why"].replace('\\"', '"')
