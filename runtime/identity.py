"""Whether an executable is what it should be; asking also shows that it starts on this machine."""

from pathlib import Path

from runtime import pins
from runtime.command import ask
from runtime.failure import Failure


def check_version(program: Path, pinned: str, advice: str) -> None:
    """Raise Failure unless the program starts and its version can stand in for the pinned one."""
    step = f"ask {program} for its version"
    try:
        said = ask([program, "--version"])
    except OSError as error:
        raise Failure(step, str(error), advice) from error
    found = pins.version(said)
    if found is None or not pins.fits(found, pinned):
        first = said.partition("\n")[0].strip()
        raise Failure(step, f"it says '{first}', which does not fit {pinned}", advice)
