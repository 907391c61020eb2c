"""``python3 -m runtime``: find or make the runtime, and print where it is."""

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runtime import cache, pins
from runtime.failure import Failure
from runtime.identity import check_version
from runtime.progress import Progress
from runtime.sources import build, installed, release

# In the order in which they are tried; the cache holds what the last two made.
_INSTALLED = "installed"
_MADE = ("release", "build")


def main() -> int:
    """Print the path for DAPR_RUNTIME_PATH and return 0, or say why not and return 1."""
    options = _options()
    progress = Progress()
    # The default would end this process and leave a compiler running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        path = _runtime(options, progress)
    except KeyboardInterrupt:
        progress.say("interrupted; nothing half-finished is kept")
        return 128 + signal.SIGINT
    finally:
        progress.close()
    if path is None:
        return 1
    print(path)
    return 0


def _runtime(options: argparse.Namespace, progress: Progress) -> Path | None:
    failures: dict[str, Failure] = {}
    if options.source in (None, _INSTALLED):
        with _recorded(_INSTALLED, failures, progress):
            path = installed.find()
            progress.say(f"took {_INSTALLED}: {path}")
            if newer := installed.newer():
                progress.say(
                    f"{_INSTALLED}: it says {newer}, a later minor than {pins.RUNTIME_VERSION}, on "
                    "which the tests pass: DAPRD=... pytest tests/contract shows what it keeps"
                )
            return path
    made = [source for source in _MADE if options.source in (None, source)]
    found = _cached(made, progress) or _make(made, options, failures, progress)
    if found is not None:
        return found
    system, architecture = pins.target()
    progress.say(f"no source gave Dapr {pins.RUNTIME_VERSION} for {system}/{architecture}:")
    for source, failure in failures.items():
        progress.say(f"  {source}: {failure}\n    do: {failure.advice}")
    return None


def _cached(sources: Sequence[str], progress: Progress) -> Path | None:
    for source in sources:
        path = cache.place(source)
        if cache.complete(path):
            progress.say(f"took {source}, from the cache: {path}")
            return path
    return None


def _make(
    sources: Sequence[str],
    options: argparse.Namespace,
    failures: dict[str, Failure],
    progress: Progress,
) -> Path | None:
    if not sources:
        return None
    with _recorded("cache", failures, progress), cache.locked(progress):
        # Another run may have made it while this one waited for the lock.
        if path := _cached(sources, progress):
            return path
        for source in sources:
            path = cache.place(source)
            with _recorded(source, failures, progress), cache.staged(path) as partial:
                programs = cache.programs(partial)
                if source == "release":
                    deadline = time.monotonic() + (options.deadline or release.DEADLINE_SECONDS)
                    release.download(programs, progress, release.Limits(options.timeout, deadline))
                else:
                    deadline = time.monotonic() + (options.deadline or build.DEADLINE_SECONDS)
                    build.build(programs, progress, deadline)
                unusable = "report it with the platform named below, and force another --source"
                check_version(programs / "daprd", pins.RUNTIME_VERSION, unusable)
                check_version(programs / pins.CLI_BINARY, pins.CLI_VERSION, unusable)
            if source not in failures:
                progress.say(f"took {source}: {path}")
                return path
    return None


@contextmanager
def _recorded(source: str, failures: dict[str, Failure], progress: Progress) -> Iterator[None]:
    """Keep a source's failure for the account at the end, and go on."""
    try:
        yield
    except Failure as failure:
        failures[source] = failure
    except OSError as error:
        advice = "free some space, or point XDG_CACHE_HOME at a folder you can write to"
        failures[source] = Failure(f"write below {cache.root()}", str(error), advice)
    else:
        return
    progress.say(f"{source}: {failures[source]}".partition("\n")[0])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m runtime",
        description="Print the path of a Dapr runtime for DAPR_RUNTIME_PATH; get one if need be.",
    )
    parser.add_argument("--source", choices=(_INSTALLED, *_MADE), help="try only this one")
    parser.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="give up on a download server that is silent for so long (%(default)s)",
    )
    parser.add_argument(
        "--deadline",
        type=float,
        metavar="SECONDS",
        help="how long the download and the build may take, each "
        f"({release.DEADLINE_SECONDS:.0f} and {build.DEADLINE_SECONDS:.0f})",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
