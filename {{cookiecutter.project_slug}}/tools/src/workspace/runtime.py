"""Where the Dapr runtime of this machine is."""

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from workspace.errors import StackError

ADVICE = """no Dapr runtime was found.
Looked at: DAPR_RUNTIME_PATH, ~/.dapr, and the cache of the template's runtime/.
Install one with `dapr init` (with Docker) or `dapr init --slim` (without), or run
`python3 -m runtime` in a checkout of the template."""


@dataclass(frozen=True)
class Runtime:
    """`home` holds .dapr/bin; `cli` is the `dapr` command."""

    home: Path
    cli: Path

    def binary(self, name: str) -> Path | None:
        """A slim install has placement and scheduler; `dapr init` runs them in Docker."""
        path = self.home / ".dapr" / "bin" / name
        return path if path.exists() else None

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DAPR_RUNTIME_PATH": str(self.home),
            "PATH": os.pathsep.join((str(self.cli.parent), os.environ["PATH"])),
        }

    @property
    def missing_in_shell(self) -> str:
        """What a shell must export before its `dapr` is this one; empty if it is."""
        # The CLI itself looks there, and nowhere else.
        home = Path(os.environ.get("DAPR_RUNTIME_PATH") or Path.home())
        if home == self.home and _which(None) is not None:
            return ""
        quoted = shlex.quote(str(self.home)), shlex.quote(str(self.cli.parent))
        return 'export DAPR_RUNTIME_PATH={} PATH={}:"$PATH"'.format(*quoted)


def find() -> Runtime:
    """Raises `StackError` when no place has both daprd and the CLI."""
    for home in _candidates():
        binaries = home / ".dapr" / "bin"
        cli = next(
            (Path(found) for where in (str(binaries), None) if (found := _which(where))), None
        )
        if (binaries / "daprd").exists() and cli is not None:
            return Runtime(home, cli)
    raise StackError(ADVICE)


def _candidates() -> list[Path]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    made = cache.glob("dapr-styles/runtime/*/.dapr")
    cached = sorted(made, key=lambda path: path.stat().st_mtime, reverse=True)
    named = os.environ.get("DAPR_RUNTIME_PATH")
    return [*([Path(named)] if named else []), Path.home(), *(path.parent for path in cached)]


def _which(path: str | None) -> str | None:
    return shutil.which("dapr", path=path)
