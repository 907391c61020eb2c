"""Finished runtimes, outside the checkout: `<XDG cache>/dapr-styles/<source>-<key>/.dapr`.

Whatever is unfinished lives below `partial/`, so a reader that looks for `*/.dapr` never meets it.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime import pins
from runtime.progress import Progress


def root() -> Path:
    """The XDG specification says to ignore a relative path."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(named) if os.path.isabs(named) else Path.home() / ".cache"
    return base / "dapr-styles"


def find(sources: Iterable[str]) -> tuple[str, Path] | None:
    """The first of these sources that has a complete runtime here, and its path."""
    return next(((name, _path(name)) for name in sources if _complete(_path(name))), None)


@contextmanager
def lock(progress: Progress) -> Iterator[None]:
    """One process works, the others wait. A holder that dies lets go. Raises OSError."""
    root().mkdir(parents=True, exist_ok=True)
    with open(root() / "lock", "w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress.show("another process fetches this runtime; waiting for it")
                time.sleep(0.2)
        # Only the holder writes there, so what is there was left by one that was killed.
        shutil.rmtree(root() / "partial", ignore_errors=True)
        yield


@contextmanager
def partial() -> Iterator[Path]:
    """An empty directory for a runtime in the making; gone afterwards unless published."""
    parent = root() / "partial"
    parent.mkdir()
    try:
        yield Path(tempfile.mkdtemp(dir=parent))
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def publish(directory: Path, source: str) -> Path:
    """Makes a complete directory the cached runtime, in one step. Call it under the lock."""
    target = _path(source)
    # Something stands here only when a person removed a part of it.
    shutil.rmtree(target, ignore_errors=True)
    directory.chmod(0o755)
    return directory.rename(target)


def _path(source: str) -> Path:
    return root() / f"{source}-{pins.key()}"


def _complete(path: Path) -> bool:
    binaries = (path / ".dapr" / "bin" / name for name in pins.BINARIES)
    return (path / ".dapr" / "config.yaml").is_file() and all(
        os.access(binary, os.X_OK) for binary in binaries
    )
