"""Kubernetes, etcd, helm and the rest, built from their pinned Go modules and kept in the cache."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from runtime import pins
from runtime.command import run
from runtime.progress import Progress
from runtime.sources import toolchain

MODULES = Path(__file__).parent / "modules"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dapr-styles"
DEADLINE_SECONDS = 3600.0
_ADVICE = (
    "give Go its module proxy (GOPROXY, HTTPS_PROXY) and some 10 GB of disk, then try again: "
    "it goes on where it stopped"
)


@dataclass(frozen=True)
class Program:
    module: Path
    package: str
    flags: tuple[str, ...] = ()


def _kubernetes() -> dict[str, Program]:
    module = MODULES / "kubernetes"
    found = re.search(r"k8s.io/kubernetes v(\d+)\.(\d+)\.(\d+)$", _text(module), re.MULTILINE)
    assert found, f"{module}/go.mod pins no k8s.io/kubernetes"
    # What the server says of itself: charts and clients ask for it.
    version = "k8s.io/component-base/version"
    stamp = f"-s -w -X {version}.gitVersion=v{'.'.join(found.groups())}"
    stamp += f" -X {version}.gitMajor={found[1]} -X {version}.gitMinor={found[2]}"
    names = ("apiserver", "controller-manager", "scheduler", "proxy")
    programs = [*(f"kube-{name}" for name in names), "kubelet", "kubectl"]
    flags = ("-ldflags", stamp)
    return {name: Program(module, f"k8s.io/kubernetes/cmd/{name}", flags) for name in programs}


def _text(module: Path) -> str:
    return (module / "go.mod").read_text()


_SMALL = ("-ldflags", "-s -w")
_DAPR = "github.com/dapr/dapr"
_DAPR_STAMP = f"-s -w -X {_DAPR}/pkg/buildinfo.version={pins.RUNTIME_VERSION}"

PROGRAMS = {
    **_kubernetes(),
    "etcd": Program(MODULES / "etcd", "go.etcd.io/etcd/server/v3", _SMALL),
    "helm": Program(MODULES / "helm", "helm.sh/helm/v3/cmd/helm", _SMALL),
    "kubeconform": Program(
        MODULES / "helm", "github.com/yannh/kubeconform/cmd/kubeconform", _SMALL
    ),
    "coredns": Program(MODULES / "coredns", ".", _SMALL),
    "pause": Program(MODULES / "pause", ".", _SMALL),
    # The parts of Dapr that only a cluster has; the others are the runtime's.
    **{
        name: Program(pins.RUNTIME_MODULE, f"{_DAPR}/cmd/{name}", ("-ldflags", _DAPR_STAMP))
        for name in ("operator", "injector")
    },
}


def program(name: str) -> Path:
    """The executable. The first time it is built, which may take minutes; progress is on stderr.

    Raises `runtime.failure.Failure`.
    """
    what = PROGRAMS[name]
    path = CACHE / "kubernetes" / key(what.module) / name
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress()
    # One build at a time; the second to ask finds what the first has built.
    with (CACHE / "kubernetes" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _build(name, what, path, progress)
    progress.close()
    return path


def _build(name: str, what: Program, path: Path, progress: Progress) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    go = toolchain.find(progress, deadline)
    partial = path.with_suffix(".partial")
    progress.say(f"building {name}; the first of a module takes minutes")
    run(
        [
            *_politely(),
            go,
            "build",
            "-v",
            "-mod=readonly",
            *what.flags,
            "-o",
            partial,
            what.package,
        ],
        step=f"build {name} with {go}",
        advice=_ADVICE,
        deadline=deadline,
        watch=lambda lines: progress.update(f"building {name}: {len(lines)} steps"),
        cwd=what.module,
        env=toolchain.environment(),
    )
    partial.rename(path)


def _politely() -> list[str]:
    nice = shutil.which("nice")
    return [nice, "-n", "10"] if nice else []


def key(module: Path) -> str:
    """Names what these pins give: another pin, another folder of the cache."""
    digest = hashlib.sha256()
    for file in ("go.mod", "go.sum"):
        digest.update((module / file).read_bytes())
    return f"{module.name}-{digest.hexdigest()[:12]}"


def source(module: Path, path: str) -> Path:
    """The folder of a module that the go.mod in `module` pins, as the proxy has it."""
    go = toolchain.find(Progress(), time.monotonic() + DEADLINE_SECONDS)
    done = subprocess.run(
        [go, "mod", "download", "-json", path],
        cwd=module,
        env=toolchain.environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"go mod download {path}: {done.stdout}{done.stderr}"
    return Path(json.loads(done.stdout)["Dir"])
