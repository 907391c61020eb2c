"""Every overlay is what the schemas of Kubernetes, Dapr and its options allow, and no more."""

import subprocess
from pathlib import Path

import pytest

from tests.deploy.kubernetes import schemas
from tests.deploy.kubernetes.conftest import BROKERS
from tests.deploy.kubernetes.programs import program


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    schemas.write(folder)
    return folder


def complaints(manifest: str, known: Path) -> str:
    """Of kubeconform; empty when it has none."""
    done = subprocess.run(
        [
            *(program("kubeconform"), "-strict", "-summary"),
            *("-schema-location", f"{known}/{schemas.LOCATION}", "-"),
        ],
        input=manifest,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("broker", BROKERS)
def test_every_overlay_keeps_to_the_schemas(
    overlays: dict[str, dict[str, str]], known: Path, broker: str
) -> None:
    for name, manifest in overlays[broker].items():
        assert not complaints(manifest, known), name


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("serviceAccountName:", "serviceAccountname:"),
        ("maxRetries: 90", "maxRetries: many"),
        ("defaultAction: deny", "defaultActoin: deny"),
        ("minAvailable: 1", "minAvailable: []"),
        ("kind: Resiliency", "kind: Resilience"),
    ],
)
def test_what_no_schema_knows_is_found(known: Path, right: str, wrong: str) -> None:
    manifest = SAMPLE
    assert right in manifest
    assert not complaints(manifest, known)
    assert complaints(manifest.replace(right, wrong), known)


SAMPLE = """
apiVersion: v1
kind: Pod
metadata: {name: sample}
spec:
  serviceAccountName: sample
  containers: [{name: app, image: app, livenessProbe: {httpGet: {port: http}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: sample}
spec: {minAvailable: 1}
---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: {name: sample}
spec:
  policies: {retries: {sample: {policy: constant, duration: 1s, maxRetries: 90}}}
  targets: {}
---
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: sample}
spec: {accessControl: {defaultAction: deny}}
"""
