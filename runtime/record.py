"""``python3 -m runtime.record``: write the checksums of the pinned releases, as they are published.

For whoever raises a version, from a network that is trusted.
"""

import sys
import time

from runtime import checksums, pins
from runtime.failure import Failure
from runtime.sources import release

PLATFORMS = (
    *(("linux", architecture) for architecture in ("amd64", "arm64", "arm")),
    *(("darwin", architecture) for architecture in ("amd64", "arm64")),
)


def main() -> int:
    limits = release.Limits(read_timeout=30, deadline=time.monotonic() + release.DEADLINE_SECONDS)
    known = {}
    try:
        for platform in PLATFORMS:
            for binary in pins.BINARIES:
                address = release.address(binary, platform)
                known[address] = release.published(address, limits)
    except Failure as failure:
        print(f"{failure}\n  do: {failure.advice}", file=sys.stderr)
        return 1
    checksums.write(known)
    print(f"{checksums.FILE.name}: {len(known)} archives")
    return 0


if __name__ == "__main__":
    sys.exit(main())
