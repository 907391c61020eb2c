"""Write what follows from dapr.yaml and the code, or name what differs from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workspace.daprfile import ROOT, DaprFile
from workspace.derived import access, catalog, compose, keda, kubernetes, scopes
from workspace.derived.file import HEAD, Derived
from workspace.members import Member, members


@dataclass(frozen=True)
class DerivedFiles:
    """All of a workspace."""

    root: Path
    files: Sequence[Derived]

    @property
    def differing(self) -> list[Derived]:
        return [file for file in self.files if _content(file.path) != file.content]

    @property
    def left_over(self) -> list[Path]:
        """What was derived for a member that is no more."""
        known = {file.path for file in self.files}
        folders = (self.root / folder for folder in (compose.FOLDER, kubernetes.FOLDER))
        found = {path for folder in folders for path in folder.rglob("*.yaml")}
        return sorted(path for path in found - known if path.read_text().startswith(HEAD))

    def write(self) -> list[str]:
        """A line for each file that was written or removed."""
        changed, removed = self.differing, self.left_over
        for file in changed:
            file.write()
        for path in removed:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        return [
            *(f"{self._name(file.path)}: written" for file in changed),
            *(f"{self._name(path)}: removed" for path in removed),
        ]

    def check(self) -> list[str]:
        """A line for each file that `write` would change, with where a change by hand belongs."""
        return [
            *(
                f"{self._name(file.path)} is not what dapr.yaml and the code say: run "
                f"`make derive`. It undoes a change by hand: change {file.instead} instead."
                for file in self.differing
            ),
            *(
                f"{self._name(path)} is of no service of dapr.yaml: `make derive` removes it."
                for path in self.left_over
            ),
        ]

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def here() -> DerivedFiles:
    """Those of this workspace. Raises `StackError` for a member that cannot be read."""
    file = DaprFile()
    return of(ROOT, file, members(file))


def of(root: Path, file: DaprFile, members: Sequence[Member]) -> DerivedFiles:
    files = [
        *scopes.derive(root, members),
        *access.derive(root, members),
        *compose.derive(root, file, members),
        *kubernetes.derive(root, file, members),
        *keda.derive(root, members),
        *catalog.derive(root, members),
    ]
    return DerivedFiles(root, files)


def _content(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
