"""Container images without a registry: docker archives, written from folders and files.

The services' images have what deploy/Dockerfile gives them: their packages in one layer, their code
in the next, the same user, the same command.
"""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import pins
from tests.debian import install
from tests.deploy.kubernetes.programs import CACHE

SUITE = "bookworm"
PACKAGES = ("python3", "ca-certificates", "postgresql")


def base() -> Path:
    """A Debian with Python and PostgreSQL, as one layer; made once, which takes two minutes."""
    name = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:12]
    layer = CACHE / "kubernetes" / f"base-{name}.tar"
    if layer.exists():
        return layer
    install("debootstrap", Path("/usr/sbin/debootstrap"))
    root = layer.with_suffix(".root")
    shutil.rmtree(root, ignore_errors=True)
    include = f"--include={','.join(PACKAGES)}"
    command = ["debootstrap", "--variant=minbase", include, SUITE, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-2000:]}{done.stderr}"
    partial = layer.with_suffix(".partial")
    pack = ["tar", "-C", str(root), "--exclude=./var/cache/apt/*", "--exclude=./dev/*"]
    subprocess.run([*pack, "-cf", str(partial), "."], check=True)
    partial.rename(layer)
    shutil.rmtree(root)
    return layer


def layer(path: Path, contents: Mapping[str, Path]) -> Path:
    """A layer with these files and folders, by where they are in the image."""
    with tarfile.open(path, "w") as tar:
        for place, source in sorted(contents.items()):
            tar.add(source, place.lstrip("/"), filter=_owned_by_root)
    return path


@dataclass(frozen=True)
class Image:
    """`names` are whole (`registry/name:tag`); `config` is that of the OCI image specification."""

    names: Sequence[str]
    layers: Sequence[Path]
    config: Mapping[str, Any]


def write(archive: Path, *images: Image) -> Path:
    """The images in one archive for `ctr images import`; what they share is in it once."""
    manifest = []
    digests = {layer: _sha256(layer) for image in images for layer in image.layers}
    with tarfile.open(archive, "w") as tar:
        for path, digest in digests.items():
            tar.add(path, f"{digest}/layer.tar")
        for image in images:
            layers = [digests[layer] for layer in image.layers]
            content = json.dumps(
                {
                    "architecture": pins.target()[1],
                    "os": "linux",
                    "config": dict(image.config),
                    "rootfs": {"type": "layers", "diff_ids": [f"sha256:{each}" for each in layers]},
                    "history": [{"created_by": layer.name} for layer in image.layers],
                }
            ).encode()
            name = f"{hashlib.sha256(content).hexdigest()}.json"
            _add(tar, name, content)
            places = [f"{each}/layer.tar" for each in layers]
            manifest.append({"Config": name, "RepoTags": list(image.names), "Layers": places})
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    return archive


def binary(name: str, program: Path, work: Path) -> Image:
    """With one static program in its root, as the images of Dapr and Kubernetes are."""
    content = layer(work / f"{program.name}.layer", {f"/{program.name}": program})
    command = {"Cmd": [f"/{program.name}"], "WorkingDir": "/", "User": "65532"}
    return Image([name], [content], command)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if "__pycache__" in entry.name:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o555 if entry.isdir() or entry.mode & 0o100 else 0o444
    return entry


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
