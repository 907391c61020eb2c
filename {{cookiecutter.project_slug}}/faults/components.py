"""A copy of components/ with one text changed, for the sidecars of one fault."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from devstack.daprfile import ROOT

COMPONENTS = ROOT / "components"


@contextmanager
def changed(file: str, old: str, new: str) -> Iterator[Path]:
    """A folder like components/, but for this text in this file of it.

    Raises `LookupError` if the text is not there: then the fault would be none.
    """
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        copy = Path(folder) / "components"
        shutil.copytree(COMPONENTS, copy)
        text = (copy / file).read_text()
        if old not in text:
            raise LookupError(f"components/{file} does not say {old!r}")
        (copy / file).write_text(text.replace(old, new))
        yield copy


def with_folder(command: Sequence[str], folder: Path) -> list[str]:
    """The command of a sidecar, with its components from there."""
    return [argument.replace(str(COMPONENTS), str(folder)) for argument in command]
