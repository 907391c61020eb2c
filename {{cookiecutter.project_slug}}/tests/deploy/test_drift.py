"""Each overlay runs what dapr.yaml runs: its services, ports, environment, components, images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.overlay import NAMES, Overlay, annotations, container, documents, named
from workspace.daprfile import ROOT, RUN_FILE, DaprFile
from workspace.profiles import Profile, in_use

RUN = yaml.safe_load(RUN_FILE.read_text())


@pytest.fixture(scope="module", params=NAMES)
def overlay(request: pytest.FixtureRequest) -> Overlay:
    found: str = request.param
    return named(found)


def profiles(kind: str) -> list[Path]:
    return [ROOT / path for path in DaprFile().resources if f"/{kind}/" in path]


def broker() -> Profile:
    (used,) = (profile for profile in in_use(DaprFile()) if profile.kind == "pubsub")
    return used


def only_in_a_cluster(app_id: str) -> dict[str, str]:
    """What a pod has that a laptop has not, by name: its own tokens."""
    return {
        "APP_API_TOKEN": f"Secret {app_id}-app-api-token",
        "DAPR_API_TOKEN": f"Secret {app_id}-dapr-api-token",
    }


def test_the_services_are_those_of_dapr_yaml(overlay: Overlay) -> None:
    assert set(overlay.services) == set(DaprFile().apps)
    for name, deployment in overlay.services.items():
        assert annotations(deployment)["dapr.io/app-id"] == name
        assert annotations(deployment)["dapr.io/enabled"] == "true"


def test_the_ports_are_those_of_dapr_yaml(overlay: Overlay) -> None:
    for name, app in DaprFile().apps.items():
        deployment = overlay.services[name]
        (port,) = container(deployment)["ports"]
        (exposed,) = overlay.of("Service")[name]["spec"]["ports"]
        assert annotations(deployment)["dapr.io/app-port"] == str(app.app_port)
        assert (port["containerPort"], exposed["port"]) == (app.app_port, app.app_port)
        assert overlay.environment(deployment)["UVICORN_PORT"] == str(app.app_port)


def test_the_environment_is_that_of_dapr_yaml(overlay: Overlay) -> None:
    of_the_broker = broker().of_the_services
    for app in RUN["apps"]:
        wanted = RUN["common"].get("env", {}) | app.get("env", {})
        wanted |= only_in_a_cluster(app["appID"])
        wanted |= of_the_broker
        found = overlay.environment(overlay.services[app["appID"]])
        # Where it listens: for uvicorn, and for a member in another language.
        del found["UVICORN_PORT"]
        found.pop("APP_PORT", None)
        for of_this_cluster in (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OIDC_ISSUER",
            "OIDC_AUDIENCE",
            "OIDC_JWKS_URL",
        ):
            found.pop(of_this_cluster, None)
        assert found == wanted, app["appID"]


def test_a_sidecar_has_the_tokens_of_its_service(overlay: Overlay) -> None:
    for name, deployment in overlay.services.items():
        given = overlay.environment(deployment)
        for annotation, variable in (
            ("dapr.io/api-token-secret", "DAPR_API_TOKEN"),
            ("dapr.io/app-token-secret", "APP_API_TOKEN"),
        ):
            assert f"Secret {annotations(deployment)[annotation]}" == given[variable], name


def test_each_service_has_its_own_image_account_and_budget(overlay: Overlay) -> None:
    for name, deployment in overlay.services.items():
        image, _, tag = container(deployment)["image"].rpartition(":")
        where = f"of images in overlays/{overlay.name}/kustomization.yaml"
        assert image.endswith(f"/{name}"), f"no registry {where}"
        assert tag, f"no tag {where}"
        assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == name
        selected = {"app.kubernetes.io/name": name}
        for kind in ("ServiceAccount", "PodDisruptionBudget", "Service"):
            assert name in overlay.of(kind), f"no {kind} of {name}"
        assert overlay.of("Service")[name]["spec"]["selector"] == selected
        budget = overlay.of("PodDisruptionBudget")[name]["spec"]
        assert budget["selector"]["matchLabels"] == selected
        assert deployment["spec"]["selector"]["matchLabels"] == selected


@pytest.mark.parametrize("name", NAMES)
def test_the_components_are_the_files_of_the_profiles(name: str) -> None:
    overlay = named(name)
    # A laptop has the store of dapr.yaml; a database that somebody else runs is PostgreSQL.
    store = profiles("state") if name == "local" else [ROOT / "components/state/postgresql"]
    files = [file for folder in [*profiles("pubsub"), *store] for file in folder.glob("*.yaml")]
    wanted = {each["metadata"]["name"]: each for each in documents(files)}
    found = overlay.of("Component")
    assert set(found) == set(wanted)
    for component, document in wanted.items():
        assert found[component]["scopes"] == document["scopes"]
        assert found[component]["spec"].keys() == document["spec"].keys()
        assert found[component]["spec"]["type"] == document["spec"]["type"]
        entries = zip(
            found[component]["spec"]["metadata"], document["spec"]["metadata"], strict=True
        )
        for entry, original in entries:
            assert_same(entry, original)


def assert_same(entry: Mapping[str, Any], original: Mapping[str, Any]) -> None:
    """An entry is the file's, or from the Secret's key that is called like the file's variable."""
    if "secretKeyRef" in entry:
        variable = {"name": entry["name"], "envRef": entry["secretKeyRef"]["key"]}
        assert variable == original
    else:
        assert entry == original


def test_nothing_is_taken_from_the_environment_of_a_sidecar(overlay: Overlay) -> None:
    for component in overlay.of("Component").values():
        assert not [entry for entry in component["spec"]["metadata"] if "envRef" in entry]


def test_the_configuration_is_that_of_components_with_access_control(overlay: Overlay) -> None:
    (configuration,) = documents([ROOT / RUN["common"]["configFilePath"]])
    (access,) = documents([ROOT / "components/access-control.yaml"])
    found = overlay.of("Configuration")
    assert list(found) == [configuration["metadata"]["name"]]
    (name,) = found
    wanted = configuration["spec"] | access["spec"]
    (namespace,) = overlay.of("Namespace")
    for policy in wanted["accessControl"]["policies"]:
        policy["namespace"] = namespace
    assert found[name]["spec"] == wanted
    for deployment in overlay.services.values():
        assert annotations(deployment)["dapr.io/config"] == name


def test_the_resiliency_is_that_of_components(overlay: Overlay) -> None:
    (file,) = documents([ROOT / "components/resiliency.yaml"])
    (found,) = overlay.of("Resiliency").values()
    assert found["spec"] == file["spec"]


def test_all_is_in_the_one_namespace(overlay: Overlay) -> None:
    (namespace,) = overlay.of("Namespace")
    for resource in overlay.resources:
        if resource["kind"] != "Namespace":
            assert resource["metadata"]["namespace"] == namespace, resource["metadata"]["name"]


@pytest.mark.parametrize("name", NAMES)
def test_only_the_laptop_has_secrets_in_a_file(name: str) -> None:
    assert bool(named(name).of("Secret")) == (name == "local")


def test_a_broker_on_the_laptop_gives_all_that_its_component_asks_for() -> None:
    overlay = named("local")
    given = {name: secret["data"].keys() for name, secret in overlay.of("Secret").items()}
    for component in overlay.of("Component").values():
        for entry in component["spec"]["metadata"]:
            if reference := entry.get("secretKeyRef"):
                assert reference["key"] in given[reference["name"]]


def test_sqlite_has_one_pod_of_a_service_and_no_autoscaler() -> None:
    overlay = named("local")
    sqlite = overlay.of("Component")["statestore"]["spec"]["type"] == "state.sqlite"
    assert bool(overlay.of("HorizontalPodAutoscaler")) != sqlite
    for deployment in overlay.services.values():
        assert (deployment["spec"]["strategy"] == {"type": "Recreate"}) == sqlite
        assert ("dapr.io/volume-mounts-rw" in annotations(deployment)) == sqlite
        assert "replicas" not in deployment["spec"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "local"])
def test_elsewhere_each_service_has_an_autoscaler_and_no_replicas_of_its_own(name: str) -> None:
    overlay = named(name)
    assert set(overlay.of("HorizontalPodAutoscaler")) == set(overlay.services)
    for service, scaler in overlay.of("HorizontalPodAutoscaler").items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == service
        assert scaler["spec"]["minReplicas"] >= 2
        assert "replicas" not in overlay.services[service]["spec"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "local"])
def test_where_others_run_the_servers_a_sidecar_trusts_the_authorities_named(name: str) -> None:
    for deployment in named(name).services.values():
        volume, _, folder = annotations(deployment)["dapr.io/volume-mounts"].partition(":")
        environment = annotations(deployment)["dapr.io/env"].split(",")
        assert f"SSL_CERT_FILE={folder}/authority.pem" in environment
        (found,) = [
            each["configMap"]
            for each in deployment["spec"]["template"]["spec"]["volumes"]
            if each["name"] == volume
        ]
        # Most servers need none of their own.
        assert found == {"name": "authorities", "optional": True}


def test_no_pod_runs_as_root_or_writes_to_its_image(overlay: Overlay) -> None:
    for deployment in overlay.services.values():
        pod = deployment["spec"]["template"]["spec"]
        app = container(deployment)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert app["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"startupProbe", "livenessProbe", "readinessProbe", "resources"} <= app.keys()


def test_a_pod_may_ask_for_names_wherever_the_cluster_answers(overlay: Overlay) -> None:
    rules = overlay.of("NetworkPolicy")["names"]["spec"]["egress"]
    to = [target for rule in rules for target in rule["to"]]
    namespaces = {
        value
        for target in to
        for each in target.get("namespaceSelector", {}).get("matchExpressions", ())
        for value in each["values"]
    }
    assert namespaces == {"kube-system", "openshift-dns"}
    # NodeLocal DNSCache.
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in to
