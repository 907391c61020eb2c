"""A real API server accepts every overlay: server-side, with strict validation."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.deploy.kubernetes import schemas
from tests.deploy.kubernetes.api_server import ApiServer, api_server
from tests.deploy.kubernetes.conftest import BROKERS

NAMESPACE = "order-fulfilment"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One that knows the custom resources, and has the namespace of the workspace."""
    with api_server(tmp_path_factory.mktemp("api-server")) as running:
        assert not running.apply(yaml.safe_dump_all(schemas.custom_resources()))
        done = running.kubectl(
            *("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s"), seconds=150
        )
        assert done.returncode == 0, done.stderr
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": NAMESPACE, "labels": labels}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        running.apply(yaml.safe_dump(namespace))
        # No controller is here to make it.
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        for name in ("default", "orders", "inventory", "payments", "shipping"):
            made = account | {"metadata": {"name": name, "namespace": NAMESPACE}}
            running.apply(yaml.safe_dump(made))
        yield running


@pytest.mark.parametrize("broker", BROKERS)
def test_it_accepts_every_overlay(
    server: ApiServer, overlays: dict[str, dict[str, str]], broker: str
) -> None:
    for name, manifest in overlays[broker].items():
        assert not server.apply(manifest, "--dry-run=server"), name


@pytest.mark.parametrize("broker", BROKERS)
def test_every_pod_keeps_to_the_restricted_pod_security_standard(
    server: ApiServer, overlays: dict[str, dict[str, str]], broker: str
) -> None:
    for name in ("local", "production", "postgresql"):
        owners = yaml.safe_load_all(overlays[broker][name])
        pods = [pod_of(each) for each in owners if each["kind"] in ("Deployment", "StatefulSet")]
        assert len(pods) >= 4
        assert not server.apply(yaml.safe_dump_all(pods), "--dry-run=server"), name


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("automountServiceAccountToken:", "automountServiceAccountTokne:"),
        ("averageUtilization: 70", "averageUtilization: seventy"),
        ("maxRetries: 16", "maxRetries: many"),
        ("defaultAction: deny", "defaultActoin: deny"),
        ("mode: STRICT", "mode: STRICTEST"),
    ],
)
def test_it_refuses_what_it_does_not_know(
    server: ApiServer, overlays: dict[str, dict[str, str]], right: str, wrong: str
) -> None:
    manifest = overlays["redis"]["istio"]
    assert right in manifest
    assert server.apply(manifest.replace(right, wrong), "--dry-run=server")


def test_it_refuses_a_pod_that_may_be_root(
    server: ApiServer, overlays: dict[str, dict[str, str]]
) -> None:
    manifest = overlays["redis"]["local"]
    owner = next(each for each in yaml.safe_load_all(manifest) if each["kind"] == "Deployment")
    pod = pod_of(owner)
    pod["spec"]["securityContext"]["runAsNonRoot"] = False
    assert "violates PodSecurity" in server.apply(yaml.safe_dump(pod), "--dry-run=server")


def pod_of(owner: dict[str, Any]) -> dict[str, Any]:
    """As its controller would make it; a claim of a StatefulSet is some volume."""
    pod = owner["spec"]["template"]["spec"]
    claims = [each["metadata"]["name"] for each in owner["spec"].get("volumeClaimTemplates", ())]
    volumes = [*pod.get("volumes", ()), *({"name": name, "emptyDir": {}} for name in claims)]
    metadata = {"name": owner["metadata"]["name"], "namespace": NAMESPACE}
    spec = {**pod, "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
