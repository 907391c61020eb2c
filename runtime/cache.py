"""Where a finished runtime is kept, so that it appears there whole or not at all.

Layout: ``<cache home>/dapr-styles/runtime/<key>-<source>/.dapr/...``, beside a lock file and
the Go that a build may have had to fetch.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime import pins
from runtime.progress import Progress

_POLL_SECONDS = 0.2

# The CLI insists on the file, not on any setting in it.
_CONFIGURATION = """\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: daprConfig
spec: {}
"""


def root() -> Path:
    """The folder that holds all of it; removing it is always safe."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification wants a relative path ignored.
    base = Path(home) if os.path.isabs(home) else Path.home() / ".cache"
    return base / "dapr-styles" / "runtime"


def place(source: str) -> Path:
    """Where the runtime of these pins from this source is, or will be."""
    return root() / f"{pins.key()}-{source}"


def programs(runtime: Path) -> Path:
    """The folder with the executables of a runtime."""
    return runtime / ".dapr" / "bin"


def complete(runtime: Path) -> bool:
    """Whether all executables are there; a stray clean-up may have taken some."""
    return all(os.access(programs(runtime) / name, os.X_OK) for name in pins.BINARIES)


@contextmanager
def locked(progress: Progress) -> Iterator[None]:
    """Let one process at a time write to the cache; it ends with the process, however that ends."""
    root().mkdir(parents=True, exist_ok=True)
    with (root() / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress.update("another run is getting the runtime; waiting for it")
                time.sleep(_POLL_SECONDS)
        yield


@contextmanager
def staged(runtime: Path) -> Iterator[Path]:
    """Give a folder to fill, and make it the runtime if the block succeeds. Needs the lock."""
    # A folder deeper, so that nobody who looks for a runtime in root() finds a half-made one.
    partial = root() / "partial" / runtime.name
    shutil.rmtree(partial, ignore_errors=True)  # left by a run that was killed
    try:
        programs(partial).mkdir(parents=True)
        (partial / ".dapr" / "config.yaml").write_text(_CONFIGURATION)
        yield partial
        shutil.rmtree(runtime, ignore_errors=True)
        partial.rename(runtime)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
