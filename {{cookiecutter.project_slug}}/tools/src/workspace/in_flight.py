"""The list of the messages that may be in flight: a new message or version is added by itself.

Only added: what is listed stays readable until a person takes it out, so a version that is raised
in place, or a class that is renamed, still fails `make unit`.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from chassis.messages import Message, topic_of
from workspace.daprfile import ROOT

FILE = ROOT / "contracts" / "in_flight.toml"


def complete(messages: Iterable[type[Message]], file: Path = FILE) -> list[str]:
    """List those that are not yet. The lines that were written."""
    text = file.read_text()
    listed: dict[str, list[int]] = tomllib.loads(text)
    lines = text.splitlines()
    changed: dict[str, None] = {}
    for message in messages:
        topic, versions = topic_of(message), listed.get(topic_of(message), [])
        if message.version not in versions:
            line = f"{topic} = {sorted({*versions, message.version})}"
            old = next((each for each in lines if each.split("=")[0].strip() == topic), None)
            if old is None:
                lines.append(line)
            else:
                lines[lines.index(old)] = line
                changed.pop(old, None)
            listed[topic] = sorted({*versions, message.version})
            changed[line] = None
    if changed:
        file.write_text("\n".join([*lines, ""]))
    return list(changed)
