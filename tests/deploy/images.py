"""Images for a machine that can pull none: a Debian with Python, Dapr's binaries, servers."""

import os
import ssl
import subprocess
import tarfile
import tempfile
from pathlib import Path

from runtime import cache
from runtime.pins import RUNTIME_BINARIES
from runtime.progress import Progress
from tests.deploy.daemon import Docker

SUITE = "bookworm"
#: What the slim image of Python has.
PACKAGES = "python3,python3-venv,ca-certificates"
DOCKERFILES = Path(__file__).parent / "base"

#: What the workspace's deploy/ takes from the environment in place of the official images.
IMAGES = {
    "BASE_IMAGE": "local/base",
    "DAPRD_IMAGE": "local/daprd",
    "PLACEMENT_IMAGE": "local/placement",
    "SCHEDULER_IMAGE": "local/scheduler",
    "SENTRY_IMAGE": "local/sentry",
    "VALKEY_IMAGE": "local/valkey",
    "POSTGRES_IMAGE": "local/postgresql",
    "HAPROXY_IMAGE": "local/haproxy",
}


def make(docker: Docker, folder: Path, *servers: str) -> None:
    """The images of Dapr and of these servers, under the names in `IMAGES`. Raises RuntimeError."""
    docker.run("import", str(_debian()), "local/debian")
    context = folder / "context"
    context.mkdir()
    # Registries may be behind an authority that only this machine knows.
    trusted = ssl.get_default_verify_paths()
    certificates = Path(trusted.cafile or trusted.openssl_cafile)
    (context / "ca-certificates.crt").write_bytes(certificates.read_bytes())
    for name in ("base", *servers):
        dockerfile = str(DOCKERFILES / f"{name}.Dockerfile")
        docker.run("build", "--quiet", "--tag", f"local/{name}", "--file", dockerfile, str(context))
    binaries = cache.programs(Path(os.environ["DAPR_RUNTIME_PATH"]))
    for name in RUNTIME_BINARIES:
        archive = folder / f"{name}.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(binaries / name, name)
        docker.run("import", str(archive), f"local/{name}")
        archive.unlink()


def _debian() -> Path:
    """A root file system as an archive, made once."""
    archive = cache.root().parent / "debian" / f"{SUITE}.tar"
    progress = Progress()
    with cache.locked(progress):
        if not archive.exists():
            progress.say(f"debootstrap {SUITE}; about a minute, once")
            _bootstrap(archive)
    return archive


def _bootstrap(archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(f".{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="debian-") as folder:
        for command in (
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, folder],
            [
                "tar",
                "-C",
                folder,
                "--exclude=./var/cache/apt/archives/*.deb",
                "-cf",
                str(partial),
                ".",
            ],
        ):
            done = subprocess.run(command, capture_output=True, text=True, timeout=900)
            if done.returncode:
                raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr}")
    partial.rename(archive)
