"""Source 3: a build from the two Go modules in `modules/`."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from runtime import limits, pins, toolchain
from runtime.commands import CommandFailed, run
from runtime.failures import SourceFailed
from runtime.progress import Progress

DOWNLOAD_ADVICE = "check the network and GOPROXY (`go env GOPROXY`), then run this again"
BUILD_ADVICE = (
    "check free memory and disk space, then run this again: it goes on where it stopped; "
    "DAPR_RUNTIME_BUILD_DEADLINE allows more seconds"
)
RUNTIME = "github.com/dapr/dapr"
CLI = "github.com/dapr/cli"
TAGS = ["-tags", "stablecomponents"]


@dataclass
class Step:
    """One call of Go; `command` follows the name of the program."""

    title: str
    module: Path
    command: list[str]
    advice: str = BUILD_ADVICE
    silence: float = float("inf")


@dataclass
class Counter:
    """Turns the lines Go prints into progress."""

    progress: Progress
    title: str
    modules: int = 0
    packages: int = 0
    last: str = field(default="", init=False)

    def __call__(self, line: str) -> None:
        if line.startswith("go: downloading "):
            self.modules += 1
        elif line and " " not in line:
            self.packages += 1
        counts = f"{self.modules} modules downloaded, {self.packages} packages compiled"
        self.progress.show(f"{self.title}: {counts}")


def fetch(binaries: Path, progress: Progress) -> None:
    """Puts every binary into the directory `binaries`. Raises `SourceFailed`."""
    env = _environment()
    go = toolchain.find(progress, env)
    end = time.monotonic() + limits.build()
    steps = _steps(binaries)
    for number, step in enumerate(steps, start=1):
        title = f"step {number}/{len(steps)}, {step.title}"
        try:
            run(
                [go, *step.command],
                seconds=max(0.0, end - time.monotonic()),
                silence=step.silence,
                watch=Counter(progress, title),
                cwd=step.module,
                env=env,
            )
        except CommandFailed as error:
            raise SourceFailed(title, str(error), step.advice) from error


def _steps(binaries: Path) -> list[Step]:
    version = f"-X {RUNTIME}/pkg/buildinfo.version={pins.DAPR}"
    packages = [f"{RUNTIME}/cmd/{name}" for name in pins.RUNTIME_BINARIES]
    return [
        _download("Dapr", pins.RUNTIME_MODULE, [*TAGS, *packages]),
        *(
            _build(name, pins.RUNTIME_MODULE, version, binaries, [*TAGS, package])
            for name, package in zip(pins.RUNTIME_BINARIES, packages, strict=True)
        ),
        _download("the Dapr CLI", pins.CLI_MODULE, [CLI]),
        _build("dapr", pins.CLI_MODULE, f"-X main.version={pins.CLI}", binaries, [CLI]),
    ]


def _download(what: str, module: Path, packages: list[str]) -> Step:
    """Apart from the build, as only here can silence be told from work.

    `-deps` fetches what the build needs, where `go mod download` would fetch the whole graph;
    `-x` prints each request.
    """
    command = ["list", "-deps", "-x", "-mod=readonly", *packages]
    title = f"download the Go modules of {what}"
    return Step(title, module, command, DOWNLOAD_ADVICE, limits.SILENCE)


def _build(name: str, module: Path, version: str, binaries: Path, arguments: list[str]) -> Step:
    command = ["build", "-v", "-mod=readonly", "-ldflags", f"-s -w {version}"]
    return Step(f"build {name}", module, [*command, "-o", str(binaries / name), *arguments])


def _environment() -> dict[str, str]:
    """What a person may have set for other Go projects must not change this build."""
    return os.environ | {
        "CGO_ENABLED": "0",
        "GOARCH": pins.ARCH,
        "GOOS": pins.OS,
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
