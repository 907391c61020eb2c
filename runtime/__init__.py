"""A pinned Dapr runtime for a machine that has none: `python3 -m runtime`."""

import sys

# Stands here and not in __main__, because the modules it imports already need both.
if sys.version_info < (3, 11):  # noqa: UP036
    raise SystemExit("runtime: Python 3.11 or newer is needed. Run it with a newer python3.")
if sys.platform == "win32":
    raise SystemExit("runtime: Windows itself is not covered. Run it inside WSL 2.")
