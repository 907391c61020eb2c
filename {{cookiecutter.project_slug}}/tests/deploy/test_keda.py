"""With KEDA, every service is scaled by every topic that it hears, and by nothing else."""

import pytest

from tests.deploy.overlay import KUBERNETES, Overlay, Resource, with_options
from workspace.daprfile import DaprFile

KEDA = KUBERNETES / "keda"
BROKERS = sorted(path.name for path in KEDA.iterdir())
#: How a trigger names what waits: a stream or a queue for each topic, a group or a queue for all.
WHERE = {
    "redis": "stream",
    "rabbitmq": "queueName",
    "kafka": "consumerGroup",
    "snssqs": "queueURL",
}


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def option(tmp_path_factory: pytest.TempPathFactory, broker: str) -> Overlay:
    place = tmp_path_factory.mktemp(broker)
    return with_options(place, KUBERNETES / "brokers" / broker, KEDA / broker)


def test_keda_takes_the_place_of_the_autoscalers(option: Overlay, broker: str) -> None:
    assert not option.of("HorizontalPodAutoscaler")
    for name, scaled in scaled_objects(option, broker).items():
        assert scaled["spec"]["scaleTargetRef"]["name"] == name


def test_a_service_is_scaled_by_all_that_waits_for_it(option: Overlay, broker: str) -> None:
    scaled = scaled_objects(option, broker)
    for service, topics in heard(option).items():
        waiting = {
            trigger["metadata"][WHERE[broker]] for trigger in scaled[service]["spec"]["triggers"]
        }
        expected = {service}
        if broker == "redis":
            expected = topics
        elif broker == "rabbitmq":
            expected = {f"{service}-{topic}" for topic in topics}
        assert waiting == expected, (
            f"keda/{broker}/scaling.yaml: {service} needs a trigger for each of {sorted(expected)}"
        )


def scaled_objects(option: Overlay, broker: str) -> dict[str, Resource]:
    """One for each service of dapr.yaml."""
    found, apps = option.of("ScaledObject"), set(DaprFile().apps)
    missing, strange = apps - set(found), set(found) - apps
    file = f"deploy/kubernetes/keda/{broker}/scaling.yaml"
    assert not missing, f"{file} has no ScaledObject of {missing}: copy that of shipping"
    assert not strange, f"{file} has a ScaledObject of {strange}, not in dapr.yaml"
    return found


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
