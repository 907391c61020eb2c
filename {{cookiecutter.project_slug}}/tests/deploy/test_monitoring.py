"""With Prometheus, every service and its sidecar are scraped at the ports that they have."""

import pytest

from tests.deploy.overlay import KUBERNETES, Overlay, container, with_options
from workspace.daprfile import DaprFile

#: What Dapr's injector calls the port of a sidecar's metrics.
OF_THE_SIDECAR = "dapr-metrics"


@pytest.fixture(scope="module")
def option(tmp_path_factory: pytest.TempPathFactory) -> Overlay:
    return with_options(tmp_path_factory.mktemp("monitoring"), KUBERNETES / "monitoring")


def test_every_service_is_scraped_and_nothing_else(option: Overlay) -> None:
    (monitor,) = option.of("PodMonitor").values()
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    scraped = {
        name
        for kind in ("Deployment", "StatefulSet")
        for name, owner in option.of(kind).items()
        if wanted <= owner["spec"]["template"]["metadata"]["labels"].items()
    }
    assert scraped == set(DaprFile().apps)


def test_the_ports_are_those_of_the_service_and_of_its_sidecar(option: Overlay) -> None:
    (monitor,) = option.of("PodMonitor").values()
    ports = {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
    for deployment in option.services.values():
        (own,) = container(deployment)["ports"]
        assert ports == {own["name"], OF_THE_SIDECAR}


def test_a_namespace_for_monitoring_is_let_in(option: Overlay) -> None:
    rules = option.of("NetworkPolicy")["customers-and-metrics"]["spec"]["ingress"]
    (admitted,) = [
        {port["port"] for port in rule["ports"]}
        for rule in rules
        if rule["from"][0]["namespaceSelector"]["matchLabels"] == {"network-role": "monitoring"}
    ]
    assert admitted == {"http", 9090}
