"""An overlay as `kubectl` would send it to a cluster."""

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from workspace.daprfile import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = KUBERNETES / "overlays"
NAMES = sorted(path.name for path in OVERLAYS.iterdir())

Resource = Mapping[str, Any]


class Overlay:
    """Its resources. Raises `AssertionError` with what kubectl says where it cannot be built."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        kubectl = shutil.which("kubectl")
        assert kubectl, "there is no kubectl on PATH: install it, version 1.29 or newer"
        built = subprocess.run(
            [kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60
        )
        assert built.returncode == 0, built.stderr
        # What is deprecated works today, and will not some day.
        assert not built.stderr, built.stderr
        self.resources: list[Resource] = list(yaml.safe_load_all(built.stdout))

    def of(self, kind: str) -> dict[str, Resource]:
        """By name."""
        return {
            resource["metadata"]["name"]: resource
            for resource in self.resources
            if resource["kind"] == kind
        }

    @property
    def services(self) -> dict[str, Resource]:
        """The Deployments that have a sidecar, by name."""
        return {
            name: deployment
            for name, deployment in self.of("Deployment").items()
            if "dapr.io/app-id" in annotations(deployment)
        }

    def environment(self, deployment: Resource) -> dict[str, str]:
        """What an app is given; of what comes from a Secret, only that: `Secret <name>`."""
        app = container(deployment)
        found: dict[str, str] = {}
        for source in app["envFrom"]:
            found |= self.of("ConfigMap")[source["configMapRef"]["name"]]["data"]
        for variable in app["env"]:
            source = variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name")
            found[variable["name"]] = f"Secret {source}" if source else variable["value"]
        return found


@cache
def named(name: str) -> Overlay:
    """Built once: it takes a second."""
    return Overlay(OVERLAYS / name)


def with_options(place: Path, *components: Path) -> Overlay:
    """The base and these components: what an overlay that takes them has."""
    # Kustomize takes relative paths only.
    up = Path(*[".."] * len(place.resolve().parts[1:]))
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [str(up / (KUBERNETES / "base").relative_to("/"))],
        "components": [str(up / folder.relative_to("/")) for folder in components],
    }
    (place / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return Overlay(place)


def annotations(deployment: Resource) -> Mapping[str, str]:
    found: Mapping[str, str] = deployment["spec"]["template"]["metadata"].get("annotations", {})
    return found


def container(deployment: Resource) -> Resource:
    (app,) = deployment["spec"]["template"]["spec"]["containers"]
    found: Resource = app
    return found


def documents(files: Iterable[Path]) -> Iterator[Resource]:
    for file in files:
        yield from yaml.safe_load_all(file.read_text())
