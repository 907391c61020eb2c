"""What a security team asks of every pod and policy of the overlays, servers included."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.overlay import KUBERNETES, NAMES, Overlay, named, with_options

SERVERS = sorted(path.name for path in (KUBERNETES / "brokers").iterdir())
#: They write to folders of their images, which belong to the users of those.
OWN_USERS = ("rabbitmq:", "apache/kafka:")


@pytest.fixture(scope="module", params=[*NAMES, *(f"servers of {name}" for name in SERVERS)])
def overlay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Overlay:
    if request.param in NAMES:
        return named(request.param)
    broker = request.param.removeprefix("servers of ")
    parts = (f"brokers/{broker}", f"servers/{broker}", "stores/postgresql", "servers/postgresql")
    return with_options(tmp_path_factory.mktemp(broker), *(KUBERNETES / part for part in parts))


def pods(overlay: Overlay) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each workload, and the template of its pods."""
    for kind in ("Deployment", "StatefulSet"):
        for name, owner in overlay.of(kind).items():
            yield name, owner["spec"]["template"]
    for name, owner in overlay.of("CronJob").items():
        yield name, owner["spec"]["jobTemplate"]["spec"]["template"]


def test_every_pod_runs_as_a_numeric_user_and_group_that_no_node_has(overlay: Overlay) -> None:
    for name, pod in pods(overlay):
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True, name
        least = 1 if pod["spec"]["containers"][0]["image"].startswith(OWN_USERS) else 10_001
        assert min(context["runAsUser"], context["runAsGroup"]) >= least, name


def test_every_container_has_its_share_and_no_more(overlay: Overlay) -> None:
    for name, pod in pods(overlay):
        for container in pod["spec"]["containers"]:
            resources = container["resources"]
            assert {"cpu", "memory", "ephemeral-storage"} <= resources["limits"].keys(), name
            assert {"cpu", "memory", "ephemeral-storage"} <= resources["requests"].keys(), name


def test_what_runs_all_the_time_has_probes_and_a_budget(overlay: Overlay) -> None:
    jobs = overlay.of("CronJob")
    budgets = overlay.of("PodDisruptionBudget")
    for name, pod in pods(overlay):
        if name in jobs:
            continue
        probes = {"startupProbe", "livenessProbe", "readinessProbe"}
        assert probes <= pod["spec"]["containers"][0].keys(), name
        wanted = budgets[name]["spec"]["selector"]["matchLabels"].items()
        assert wanted <= pod["metadata"]["labels"].items(), name


def test_pods_of_a_service_keep_apart(overlay: Overlay) -> None:
    for name, deployment in overlay.services.items():
        spec = deployment["spec"]["template"]["spec"]
        (apart,) = spec["affinity"]["podAntiAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
        selectors = [each["labelSelector"] for each in spec["topologySpreadConstraints"]]
        for selector in (*selectors, apart["podAffinityTerm"]["labelSelector"]):
            assert selector["matchLabels"] == {"app.kubernetes.io/name": name}


def test_nobody_may_connect_to_just_anywhere(overlay: Overlay) -> None:
    for name, policy in overlay.of("NetworkPolicy").items():
        for rule in policy["spec"].get("egress", ()):
            assert rule["to"], name


def test_a_database_of_somebody_else_is_looked_for_in_private_networks_only() -> None:
    (rule,) = named("production").of("NetworkPolicy")["store"]["spec"]["egress"]
    targets = [each["ipBlock"]["cidr"] for each in rule["to"]]
    assert targets == ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]


def test_the_namespace_refuses_by_one_version_and_warns_by_the_newest(overlay: Overlay) -> None:
    for namespace in overlay.of("Namespace").values():
        labels = namespace["metadata"]["labels"]
        for mode in ("enforce", "audit", "warn"):
            assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels["pod-security.kubernetes.io/enforce-version"].startswith("v1.")
        for mode in ("audit", "warn"):
            assert labels[f"pod-security.kubernetes.io/{mode}-version"] == "latest"
