"""The commands of a document's console blocks."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A command, and the lines that it prints there."""

    line: str
    output: tuple[str, ...]


def commands_of(document: str) -> list[list[Command]]:
    """Those of each console block."""
    return [list(_commands(block)) for block in re.findall(r"```console\n(.*?)```", document, re.S)]


def _commands(block: str) -> Iterator[Command]:
    lines = block.splitlines()
    while lines:
        line = lines.pop(0).removeprefix("$ ")
        while _goes_on(line):
            line += "\n" + lines.pop(0)
        output = []
        while lines and not lines[0].startswith("$ "):
            output.append(lines.pop(0))
        yield Command(line, tuple(output))


def _goes_on(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:  # a quote that is not closed
        return True
    return False
