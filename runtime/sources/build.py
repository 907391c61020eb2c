"""Source 3: a build from the two pinned Go modules."""

from collections.abc import Sequence
from pathlib import Path

from runtime import pins
from runtime.command import run
from runtime.progress import Progress
from runtime.sources import toolchain

DEADLINE_SECONDS = 3600.0

_ADVICE = (
    "give Go its module proxy (GOPROXY, HTTPS_PROXY) and some 10 GB of disk, then try again: "
    "it goes on where it stopped"
)


def build(programs: Path, progress: Progress, deadline: float) -> None:
    """Fill `programs` with five executables; `deadline` is a time.monotonic() value."""
    go = toolchain.find(progress, deadline)
    progress.say(f"build: with {go}; the first time takes about twelve minutes on two cores")
    for number, binary in enumerate(pins.BINARIES, start=1):
        label = f"build {number}/{len(pins.BINARIES)}: {binary}"
        run(
            [go, "build", "-v", "-mod=readonly", *_what(binary, programs / binary)],
            step=f"build {binary} with {go}",
            advice=_ADVICE,
            deadline=deadline,
            watch=lambda lines, label=label: progress.update(f"{label}, {_done(lines)}"),  # type: ignore[misc]
            cwd=pins.CLI_MODULE if binary == pins.CLI_BINARY else pins.RUNTIME_MODULE,
            env=toolchain.environment(),
        )


def _what(binary: str, executable: Path) -> list[str]:
    # Without the version in it, daprd calls itself "edge".
    if binary == pins.CLI_BINARY:
        stamp = f"-s -w -X main.version={pins.CLI_VERSION}"
        return ["-ldflags", stamp, "-o", str(executable), "github.com/dapr/cli"]
    stamp = f"-s -w -X github.com/dapr/dapr/pkg/buildinfo.version={pins.RUNTIME_VERSION}"
    package = f"github.com/dapr/dapr/cmd/{binary}"
    return ["-tags", pins.COMPONENTS, "-ldflags", stamp, "-o", str(executable), package]


def _done(lines: Sequence[str]) -> str:
    downloaded = sum(line.startswith("go: downloading ") for line in lines)
    compiled = sum(" " not in line for line in lines)
    return f"{downloaded} modules downloaded, {compiled} packages compiled"
