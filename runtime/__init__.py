"""A pinned Dapr runtime for a machine without one: ``python3 -m runtime`` prints its path."""

import sys

# Said here because the modules below this one already fail to import where it matters.
if sys.hexversion < 0x030B0000 or sys.platform == "win32":
    sys.exit(
        "runtime: needs Python 3.11 or newer on Linux or macOS.\n"
        "  do: start it with a newer python3, and on Windows inside WSL"
    )
