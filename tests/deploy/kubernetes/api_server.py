"""A real API server on an etcd of its own: what it accepts, a cluster accepts."""

import json
import secrets
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.debian import install
from tests.deploy.kubernetes.processes import Server
from tests.deploy.kubernetes.programs import program

# Seconds on a machine of its own, much more on one that compiles beside it.
READY_SECONDS = 180
SERVICES = "10.96.0.0/16"


@dataclass(frozen=True)
class ApiServer:
    """`kubeconfig` is its administrator's; `folder` holds its keys."""

    folder: Path
    url: str
    token: str

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def certificate(self) -> Path:
        """Whom its clients trust."""
        return self.folder / "certificates" / "apiserver.crt"

    def kubectl(
        self, *arguments: str | Path, given: str | None = None, seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """What kubectl does; its status is the caller's to judge."""
        command = ["kubectl", f"--kubeconfig={self.kubeconfig}", *map(str, arguments)]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=seconds)

    def apply(self, manifest: str, *options: str) -> str:
        """Server-side and strict. What it says against it; empty when it accepts all."""
        done = self.kubectl(
            *("apply", "--server-side", "--force-conflicts", "--validate=strict"),
            *("--filename=-", *options),
            given=manifest,
            seconds=300,
        )
        # A warning is about what will not work for long.
        return done.stderr

    def get(self, *what: str) -> dict[str, Any]:
        done = self.kubectl("get", *what, "--output=json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextmanager
def api_server(folder: Path, address: str = "127.0.0.1", *flags: str) -> Iterator[ApiServer]:
    """Started, ready, and stopped again; its data and logs are in `folder`."""
    port, client, peer = _free_ports(3) if address == "127.0.0.1" else (6443, *_free_ports(2))
    key = folder / "accounts.key"
    _openssl("genpkey", "-algorithm", "RSA", "-out", key)
    server = ApiServer(folder, f"https://{address}:{port}", secrets.token_hex(16))
    (folder / "tokens.csv").write_text(f"{server.token},admin,admin,system:masters\n")
    store = f"http://127.0.0.1:{client}"
    with ExitStack() as stack:
        etcd = Server(
            "etcd",
            [
                *(program("etcd"), "--unsafe-no-fsync", "--data-dir", folder / "etcd"),
                *("--listen-client-urls", store, "--advertise-client-urls", store),
                *("--listen-peer-urls", f"http://127.0.0.1:{peer}", "--log-level", "warn"),
            ],
            folder,
        )
        stack.callback(etcd.stop)
        process = Server(
            "kube-apiserver",
            [
                *(program("kube-apiserver"), "--etcd-servers", store),
                *("--bind-address", address, "--advertise-address", address),
                *("--secure-port", str(port), "--cert-dir", folder / "certificates"),
                *("--token-auth-file", folder / "tokens.csv", "--authorization-mode=Node,RBAC"),
                "--service-account-issuer=https://kubernetes.default.svc",
                *("--service-account-key-file", key, "--service-account-signing-key-file", key),
                *("--service-cluster-ip-range", SERVICES, "--allow-privileged"),
                *flags,
            ],
            folder,
        )
        stack.callback(process.stop)
        process.wait_until(server.certificate.exists, READY_SECONDS)
        write_kubeconfig(server, server.kubeconfig, {"token": server.token})
        process.wait_until(
            lambda: server.kubectl("get", "--raw", "/readyz").returncode == 0, READY_SECONDS
        )
        yield server


def write_kubeconfig(server: ApiServer, path: Path, user: Mapping[str, str]) -> None:
    cluster = {"server": server.url, "certificate-authority": str(server.certificate)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": dict(user)}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path.write_text(yaml.safe_dump(content))


def _openssl(*arguments: str | Path) -> None:
    install("openssl", Path("/usr/bin/openssl"))
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"


def _free_ports(count: int) -> list[int]:
    # Held all at once, so that no port is given twice.
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
