"""python -m tests.contract.versions 1.18.1: build that daprd unless it is there, and print where.

It has the stable components only, which are those that the contract needs, and is kept in the cache
of the runtime.
"""

import hashlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from runtime import cache, pins
from runtime.command import run
from runtime.failure import Failure
from runtime.identity import check_version
from runtime.progress import Progress
from runtime.sources import toolchain

MODULES = Path(__file__).parent
COMPONENTS = "stablecomponents"
DEADLINE_SECONDS = 1800.0
ADVICE = "give Go its module proxy (GOPROXY, HTTPS_PROXY) and some 5 GB of disk, then try again"


def main() -> int:
    known = sorted(each.name for each in MODULES.iterdir() if (each / "go.mod").exists())
    (version,) = sys.argv[1:] or ("",)
    if version not in known:
        print(f"{version!r} is none of the versions {', '.join(known)}", file=sys.stderr)
        return 2
    progress = Progress()
    try:
        print(_built(version, progress))
    except Failure as failure:
        progress.say(f"{failure}\n    do: {failure.advice}")
        return 1
    finally:
        progress.close()
    return 0


def _built(version: str, progress: Progress) -> Path:
    """Raises Failure."""
    module = MODULES / version
    digest = hashlib.sha256(COMPONENTS.encode())
    for name in ("go.mod", "go.sum"):
        digest.update((module / name).read_bytes())
    name = "-".join((version, *pins.target(), digest.hexdigest()[:12]))
    program = cache.root() / "daprd" / name / "daprd"
    if os.access(program, os.X_OK):
        return program
    deadline = time.monotonic() + DEADLINE_SECONDS
    with cache.locked(progress):
        go = toolchain.find(progress, deadline)
        progress.say(f"building daprd {version} with {go}: three to four minutes the first time")
        program.parent.mkdir(parents=True, exist_ok=True)
        partial = program.with_suffix(".partial")
        stamp = f"-s -w -X github.com/dapr/dapr/pkg/buildinfo.version={version}"
        run(
            [
                *(go, "build", "-v", "-mod=readonly", "-tags", COMPONENTS, "-ldflags", stamp),
                *("-o", str(partial), "github.com/dapr/dapr/cmd/daprd"),
            ],
            step=f"build daprd {version} with {go}",
            advice=ADVICE,
            deadline=deadline,
            watch=lambda lines: progress.update(f"daprd {version}: {_compiled(lines)} packages"),
            cwd=module,
            env=toolchain.environment(),
        )
        check_version(partial, version, ADVICE)
        partial.rename(program)
    return program


def _compiled(lines: Sequence[str]) -> int:
    return sum(" " not in line for line in lines)


if __name__ == "__main__":
    sys.exit(main())
