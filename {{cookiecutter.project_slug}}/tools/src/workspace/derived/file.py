"""A derived file, and what each of them has."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from workspace.errors import StackError

#: A file that begins so is derived as a whole.
HEAD = "# Derived from dapr.yaml by `workspace derive`"


@dataclass(frozen=True)
class Derived:
    path: Path
    content: str
    #: Where a change by hand belongs instead.
    instead: str

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Replaced as a whole: what stands above a marker is theirs, and survives a crash.
        new = self.path.with_name(f"{self.path.name}.new")
        new.write_text(self.content)
        new.replace(self.path)


def head(instead: str) -> str:
    return f"{HEAD}: change {instead} instead.\n"


def above(path: Path, marker: str, *derived: str) -> str:
    """What stands above the marker, which is theirs.

    Raises `StackError` for a line that begins as one of those that are derived below it.
    """
    theirs = path.read_text().split(f"{marker}\n")[0].rstrip(" ")
    for number, line in enumerate(theirs.splitlines(), 1):
        if line.strip().startswith(derived):
            raise StackError(
                f"{path}:{number}: {line.strip()} is derived, and may only stand below the line "
                f"{marker.strip()!r}. Remove it with all that belongs to it, and run `make derive`."
            )
    return theirs if theirs.endswith("\n") or not theirs else f"{theirs}\n"


def quoted(text: str) -> str:
    """As YAML takes it for this string, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)


def plain(text: str) -> str:
    """Without quotes where YAML then still takes it for this string."""
    try:
        is_plain = yaml.safe_load(f"[{text}]") == [text]
    except yaml.YAMLError:
        is_plain = False
    return text if is_plain else quoted(text)
