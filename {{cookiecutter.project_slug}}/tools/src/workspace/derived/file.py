"""A derived file, and what each of them has."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

#: A file that begins so is derived as a whole.
HEAD = "# Derived from dapr.yaml by `workspace derive`"


@dataclass(frozen=True)
class Derived:
    path: Path
    content: str
    #: Where a change by hand belongs instead.
    instead: str


def head(instead: str) -> str:
    return f"{HEAD}: change {instead} instead.\n"


def quoted(text: str) -> str:
    """As YAML takes it for this string, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)


def plain(text: str) -> str:
    """Without quotes where YAML then still takes it for this string."""
    return text if yaml.safe_load(f"[{text}]") == [text] else quoted(text)
