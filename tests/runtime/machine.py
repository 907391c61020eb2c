"""A machine of its own for each test: its home, its cache, and no program that is not put there."""

import os
import subprocess
import sys
from pathlib import Path

from runtime import pins

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 30


def program(version: str) -> str:
    """A shell script that only knows its version."""
    return f"#!/bin/sh\necho '{version}'\n"


def version_of(binary: str) -> str:
    """What the pinned binary answers to --version."""
    return f"CLI version: {pins.CLI_VERSION}" if binary == "dapr" else pins.RUNTIME_VERSION


# Builds scripts instead of binaries, and writes down how it was called.
FAKE_GO = f"""#!/bin/sh
PATH=/usr/bin:/bin
if [ "$1" = version ]; then echo "go version go{pins.GO_VERSION} linux/amd64"; exit; fi
echo "$PWD $GOTOOLCHAIN $CGO_ENABLED $*" >> "$HOME/go-calls"
[ "$1" = build ] || exit 0
while [ "$1" != -o ]; do shift; done
echo "go: downloading example.com/module v1.0.0" >&2
case "$2" in
*/dapr) answer="{version_of("dapr")}" ;;
*) answer="{version_of("daprd")}" ;;
esac
printf '#!/bin/sh\\necho "%s"\\n' "$answer" > "$2"
chmod +x "$2"
"""


class Machine:
    """Runs `python -m runtime` with nothing of the real machine in sight."""

    def __init__(self, folder: Path, releases: str) -> None:
        self.root = ROOT
        self.home = folder / "home"
        self.cache = folder / "cache"
        self.path = folder / "path"
        for directory in (self.home, self.cache, self.path):
            directory.mkdir()
        self.env = {
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.cache),
            "PATH": str(self.path),
            "DAPR_RUNTIME_RELEASES": releases,
            "PIP_NO_INDEX": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def install(self, name: str, script: str) -> Path:
        """Puts a program on PATH."""
        return self._write(self.path / name, script)

    def dapr_init(self, *, daprd: str, cli: str) -> None:
        """What `dapr init --slim` leaves."""
        binaries = self.home / ".dapr" / "bin"
        for name in ("daprd", "placement", "scheduler"):
            self._write(binaries / name, program(daprd))
        (self.home / ".dapr" / "config.yaml").write_text("kind: Configuration\n")
        self.install("dapr", program(f"CLI version: {cli}\nRuntime version: {daprd}"))

    def start(self, *arguments: str, module: str = "runtime") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, module: str = "runtime") -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, module=module) as process:
            try:
                out, err = process.communicate(timeout=DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def go_calls(self) -> list[str]:
        """How the fake Go was called, `<folder> <GOTOOLCHAIN> <CGO_ENABLED> <arguments>` each."""
        log = self.home / "go-calls"
        return log.read_text().splitlines() if log.exists() else []

    def kept(self) -> list[str]:
        """Every file in the cache but the lock, which must stay where others may wait for it."""
        files = (path for path in self.cache.rglob("*") if not path.is_dir())
        return sorted(str(path.relative_to(self.cache)) for path in files if path.name != "lock")

    def _write(self, path: Path, script: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
        return path


def must_be_complete(stdout: str) -> Path:
    """The printed path, which holds a whole runtime."""
    (line,) = stdout.splitlines()
    dapr = Path(line) / ".dapr"
    assert all(os.access(dapr / "bin" / name, os.X_OK) for name in pins.BINARIES)
    configuration = (dapr / "config.yaml").read_text()
    assert "kind: Configuration" in configuration
    assert "name: daprConfig" in configuration
    return Path(line)
