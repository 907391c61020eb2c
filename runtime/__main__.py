"""`python3 -m runtime`: prints the directory of a complete Dapr runtime, a DAPR_RUNTIME_PATH."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from runtime import build, cache, installed, limits, pins, release
from runtime.commands import CommandFailed, run
from runtime.failures import SourceFailed
from runtime.progress import Progress

# In the order in which they are tried, after `installed`.
FETCHERS: dict[str, Callable[[Path, Progress], None]] = {
    "release": release.fetch,
    "build": build.fetch,
}
SOURCES = ("installed", *FETCHERS)
# The CLI refuses to start sidecars without a configuration.
CONFIGURATION = """\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: daprConfig
spec: {}
"""


def main() -> int:
    """0 and the path on stdout, or 1 and on stderr what failed, why and what to do."""
    parser = argparse.ArgumentParser(prog="python3 -m runtime", description=__doc__)
    parser.add_argument("--source", choices=SOURCES, help="try this source only")
    chosen: str | None = parser.parse_args().source
    # So that the clean-up of an unfinished directory and of Go's processes runs on this too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    progress = Progress()
    failures: dict[str, SourceFailed] = {}
    try:
        path = obtain([chosen] if chosen else list(SOURCES), failures, progress)
    except OSError as error:
        progress.say(
            f"the cache {cache.root()} cannot be used: {error}. "
            "Make it writable, or set XDG_CACHE_HOME to another directory."
        )
        return 1
    except KeyboardInterrupt:
        progress.say("interrupted; nothing unfinished was kept. Run it again to go on.")
        return 130
    if path is None:
        progress.say("no Dapr runtime could be had:")
        for source, failure in failures.items():
            progress.say(f"  {source}: {failure}")
            progress.say(f"    what to do: {failure.advice}")
        return 1
    print(path)
    return 0


def obtain(
    sources: list[str], failures: dict[str, SourceFailed], progress: Progress
) -> Path | None:
    """The runtime from the first source that works; None leaves a failure for each source."""

    def failed(source: str, failure: SourceFailed) -> None:
        failures[source] = failure
        progress.say(f"{source} does not work: {failure}")

    if "installed" in sources:
        try:
            path = installed.find()
        except SourceFailed as failure:
            failed("installed", failure)
        else:
            progress.say(f"took installed: {path}")
            return path

    fetched = [source for source in sources if source in FETCHERS]
    # Before the lock too: a cache that is complete may be read-only.
    if fetched and (path_found := _cached(fetched, progress)):
        return path_found
    if not fetched:
        return None
    with cache.lock(progress):
        if path_found := _cached(fetched, progress):
            return path_found
        for source in fetched:
            progress.say(f"trying {source}")
            try:
                path = _fetch(source, progress)
            except SourceFailed as failure:
                failed(source, failure)
            else:
                progress.say(f"took {source}: {path}")
                return path
    return None


def _cached(sources: list[str], progress: Progress) -> Path | None:
    found = cache.find(sources)
    if found is None:
        return None
    source, path = found
    progress.say(f"took {source}, from the cache: {path}")
    return path


def _fetch(source: str, progress: Progress) -> Path:
    with cache.partial() as directory:
        binaries = directory / ".dapr" / "bin"
        binaries.mkdir(parents=True)
        FETCHERS[source](binaries, progress)
        _verify(binaries)
        (directory / ".dapr" / "config.yaml").write_text(CONFIGURATION)
        return cache.publish(directory, source)


def _verify(binaries: Path) -> None:
    """What cannot run here, or is another version, must not reach the cache."""
    for name in pins.BINARIES:
        wanted = pins.CLI if name == "dapr" else pins.DAPR
        step = f"run {name} --version"
        advice = f"see that programs may be run from {cache.root()}, or try another --source"
        try:
            answer = run([str(binaries / name), "--version"], seconds=limits.VERSION)
        except CommandFailed as error:
            raise SourceFailed(step, str(error), advice) from error
        if wanted not in answer:
            raise SourceFailed(step, f"it answers {answer!r} and not {wanted}", advice)


if __name__ == "__main__":
    sys.exit(main())
