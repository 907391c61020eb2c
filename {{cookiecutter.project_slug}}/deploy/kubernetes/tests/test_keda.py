"""With KEDA, every service is scaled by every topic that it hears, and by nothing else."""

from pathlib import Path

import pytest
import yaml

from devstack.daprfile import ROOT, DaprFile
from overlay import Overlay

KEDA = ROOT / "deploy" / "kubernetes" / "keda"
BROKERS = sorted(path.name for path in KEDA.iterdir())


@pytest.fixture
def option(tmp_path: Path, broker: str) -> Overlay:
    """The base, this broker and its KEDA files: what an overlay that takes them has."""
    kubernetes = KEDA.parent
    components = [kubernetes / "brokers" / broker, KEDA / broker]
    # Kustomize takes relative paths only.
    up = Path(*[".."] * len(tmp_path.resolve().parts[1:]))
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [str(up / (kubernetes / "base").relative_to("/"))],
        "components": [str(up / folder.relative_to("/")) for folder in components],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return Overlay(tmp_path)


@pytest.mark.parametrize("broker", BROKERS)
def test_keda_takes_the_place_of_the_autoscalers(option: Overlay) -> None:
    assert not option.of("HorizontalPodAutoscaler")
    assert set(option.of("ScaledObject")) == set(DaprFile().apps)
    for name, scaled in option.of("ScaledObject").items():
        assert scaled["spec"]["scaleTargetRef"]["name"] == name


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_a_service_is_scaled_by_every_topic_that_it_hears(option: Overlay, broker: str) -> None:
    for service, topics in heard(option).items():
        waiting = {
            trigger["metadata"].get("stream") or trigger["metadata"]["queueName"]
            for trigger in option.of("ScaledObject")[service]["spec"]["triggers"]
        }
        prefix = f"{service}-" if broker == "rabbitmq" else ""
        assert waiting == {f"{prefix}{topic}" for topic in topics}


@pytest.mark.parametrize("broker", ["kafka", "snssqs"])
def test_a_service_is_scaled_by_its_group_or_its_queue(option: Overlay, broker: str) -> None:
    for service, scaled in option.of("ScaledObject").items():
        (trigger,) = scaled["spec"]["triggers"]
        where = "consumerGroup" if broker == "kafka" else "queueURL"
        assert trigger["metadata"][where] == service


def heard(overlay: Overlay) -> dict[str, set[str]]:
    """By service, what `make scopes` wrote; dead letters are no work that waits."""
    metadata = overlay.of("Component")["pubsub"]["spec"]["metadata"]
    (scopes,) = [entry["value"] for entry in metadata if entry["name"] == "subscriptionScopes"]
    found = {}
    for entry in filter(str.strip, scopes.split(";")):
        service, _, topics = entry.strip().partition("=")
        each = {topic.strip() for topic in topics.split(",")}
        found[service] = {topic for topic in each if not topic.endswith("-dead-letters")}
    return found
