"""A Docker daemon of its own: its socket, its data and its network are nobody else's."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.debian import install
from tests.deploy import compose_plugin, network

START_SECONDS = 60
STOP_SECONDS = 60

#: Debian's package of each program, and where that is.
PROGRAMS = {
    "docker.io": Path("/usr/sbin/dockerd"),
    "iptables": Path("/usr/sbin/iptables"),
    "iproute2": Path("/usr/sbin/ip"),
    "debootstrap": Path("/usr/sbin/debootstrap"),
}


@dataclass(frozen=True)
class Docker:
    """`environment` makes the `docker` command talk to this daemon; `namespace` is its network."""

    environment: dict[str, str]
    namespace: str

    def run(self, *arguments: str, seconds: float = 300, given: str = "") -> str:
        """What `docker` prints. Raises RuntimeError with what it complains of."""
        done = subprocess.run(
            ["docker", *arguments],
            # Compose brings a BuildKit of its own; the plain command may have none.
            env={**self.environment, "DOCKER_BUILDKIT": "0"},
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()


@contextmanager
def docker(folder: Path) -> Iterator[Docker]:
    """A daemon with nothing in it. Raises RuntimeError, with its log, where there can be none."""
    if os.geteuid() != 0:
        raise RuntimeError("only root can start a Docker daemon: sudo make test-compose")
    for package, program in PROGRAMS.items():
        install(package, program)
    plugins = folder / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(compose_plugin.find())
    # A socket's path may have 108 characters, and pytest's folders are longer.
    socket = Path(f"/run/deploy-{os.getpid()}.sock")
    # Where a workspace in an environment of its own has been activated, it is not this one.
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment = {
        **inherited,
        "DOCKER_HOST": f"unix://{socket}",
        "DOCKER_CONFIG": str(folder / "config"),
    }
    with network.namespace() as namespace, _running(folder, socket, namespace):
        yield Docker(environment, namespace)


@contextmanager
def _running(folder: Path, socket: Path, namespace: str) -> Iterator[None]:
    log = folder / "dockerd.log"
    options = [
        f"--host=unix://{socket}",
        f"--data-root={folder / 'data'}",
        f"--exec-root={folder / 'exec'}",
        f"--pidfile={folder / 'pid'}",
    ]
    with log.open("w") as output:
        process = subprocess.Popen(
            network.inside(namespace, "dockerd", *options),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait(process, socket, log)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        socket.unlink(missing_ok=True)


def _wait(process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    probe = ["docker", "--host", f"unix://{socket}", "version"]
    while subprocess.run(probe, capture_output=True).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no Docker daemon can be had here:\n{log.read_text()[-3000:]}")
        time.sleep(0.2)
