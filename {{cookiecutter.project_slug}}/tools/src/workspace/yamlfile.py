"""YAML that people write: an error names the file and the line."""

from pathlib import Path
from typing import Any

import yaml

from workspace.errors import StackError


def documents(path: Path, text: str | None = None) -> list[Any]:
    """Of the file, or of a part of it. Raises `StackError`, of one line."""
    try:
        return list(yaml.safe_load_all(path.read_text() if text is None else text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        why = " ".join(str(getattr(error, "problem", None) or error).split())
        raise StackError(f"{where} cannot be read as YAML: {why}. Correct it there.") from error
