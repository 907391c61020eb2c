"""The overlays of a workspace, and those that its options make, as kubectl would send them."""

import os
import subprocess
import tempfile
from pathlib import Path

import yaml

OVERLAYS = ("local", "production", "istio")


def built(folder: Path) -> str:
    """What `kubectl kustomize` prints. Raises AssertionError with what it complains about."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def all_of(workspace: Path, broker: str) -> dict[str, str]:
    """Every overlay, by name: with KEDA, with monitoring, and a laptop with PostgreSQL, too."""
    kubernetes = workspace / "deploy" / "kubernetes"
    found = {name: built(kubernetes / "overlays" / name) for name in OVERLAYS}
    # Not for JetStream: its server is somebody else's, and so is what could tell what waits.
    if (kubernetes / "keda" / broker).is_dir():
        found["keda"] = _with(kubernetes, "overlays/production", [f"keda/{broker}"])
    found["monitoring"] = _with(kubernetes, "overlays/production", ["monitoring"])
    parts = [f"brokers/{broker}", f"servers/{broker}", "stores/postgresql", "servers/postgresql"]
    found["postgresql"] = _with(kubernetes, "base", parts)
    return found


def _with(kubernetes: Path, resource: str, components: list[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        namespace = kubernetes.parents[1].name

        def path(part: str) -> str:
            return os.path.relpath(kubernetes.resolve() / part, place)

        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": namespace,
            "resources": [path(resource)],
            "components": [path(part) for part in components],
        }
        (place / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return built(place)
