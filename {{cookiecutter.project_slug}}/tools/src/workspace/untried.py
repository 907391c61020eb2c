"""A daprd that is newer than those that this workspace was tried on: tried at its first use."""

import re
import subprocess
from pathlib import Path

from workspace import processes
from workspace.errors import StackError
from workspace.runtime import Runtime

#: The newest minor of which the chassis was tried on a real daprd.
TRIED = (1, 18)
ANSWER_SECONDS = 10


def version(found: Runtime) -> str | None:
    """The version of its daprd, if that is newer and was not tried here. Raises `StackError`."""
    daprd = found.home / ".dapr" / "bin" / "daprd"
    try:
        said = subprocess.check_output([daprd, "--version"], text=True, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"{daprd} does not say its version: {error}. Install it anew.") from error
    numbers = re.match(r"v?(\d+)\.(\d+)", said)
    if numbers is None or (int(numbers[1]), int(numbers[2])) <= TRIED:
        return None
    return None if _record(said.strip()).exists() else said.strip()


def remember(version: str) -> None:
    _record(version).touch()


def _record(version: str) -> Path:
    processes.RUN.mkdir(exist_ok=True)
    return processes.RUN / f"tried-{re.sub(r'[^0-9A-Za-z.-]', '', version)}"
