"""A copy of components/ with one thing changed, for the sidecars of one fault."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from workspace.daprfile import ROOT

COMPONENTS = ROOT / "components"


@contextmanager
def changed(file: str, setting: str, value: str) -> Iterator[Path]:
    """A folder like components/, but for the value of this metadata entry in this file of it.

    Raises `LookupError` if there is no such entry: then the fault would be none.
    """
    with _copy() as copy:
        text, count = re.subn(
            rf"(name: {setting}\n\s+value: ).*", rf'\g<1>"{value}"', (copy / file).read_text()
        )
        if not count:
            raise LookupError(f"components/{file} does not set {setting}")
        (copy / file).write_text(text)
        yield copy


@contextmanager
def without(file: str) -> Iterator[Path]:
    """A folder like components/, but for this file."""
    with _copy() as copy:
        (copy / file).unlink()
        yield copy


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        copy = Path(folder) / "components"
        shutil.copytree(COMPONENTS, copy)
        yield copy


def with_folder(command: Sequence[str], folder: Path) -> list[str]:
    """The command of a sidecar, with its components from there."""
    return [argument.replace(str(COMPONENTS), str(folder)) for argument in command]
