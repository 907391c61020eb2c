"""Files of NAME=value lines, read as a shell that sources them would."""

import os
import shlex
from pathlib import Path

from workspace.errors import StackError


def read(file: Path) -> dict[str, str]:
    """Its settings; what the environment has set already wins.

    Raises `StackError` for a line of another form, such as a value with spaces and no quotes.
    """
    found = {}
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            (setting,) = shlex.split(line)
        except ValueError:
            setting = ""
        name, is_assignment, value = setting.partition("=")
        if not is_assignment or not name.isidentifier():
            raise StackError(f"{file}:{number} is not NAME=value: correct it")
        found[name] = os.environ.get(name, value)
    return found
