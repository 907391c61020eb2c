"""deploy/compose runs what dapr.yaml runs: the same services, ports, components and environment."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from workspace import deployment
from workspace.daprfile import ROOT, RUN_FILE, DaprFile
from workspace.profiles import COMPONENTS, Profile, in_use

COMPOSE = ROOT / "deploy" / "compose"
FILE = DaprFile()
RUN = yaml.safe_load(RUN_FILE.read_text())
PROFILES = [
    Profile(path.parent.name, path.name) for path in sorted(COMPONENTS.glob("*/*")) if path.is_dir()
]

#: What a service needs in a container, and `dapr run` sets of itself or not at all.
OF_THE_CONTAINER = {
    "BULK_DELIVERY",
    "UVICORN_PORT",
    "UVICORN_ENV_FILE",
    "DAPR_RUNTIME_HOST",
    "DAPR_HTTP_PORT",
    "DAPR_GRPC_PORT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
}


def read(name: str) -> dict[str, Any]:
    file = COMPOSE / name
    assert file.exists(), f"there is no {file.relative_to(ROOT)}: copy one beside it, and change it"
    return dict(yaml.safe_load(file.read_text()))


COMMON = read("common.yaml")["services"]


def flags(command: list[str]) -> dict[str, list[str]]:
    """The values of each --flag=value."""
    found: dict[str, list[str]] = {}
    for flag in command:
        name, _, value = flag.partition("=")
        found.setdefault(name, []).append(value)
    return found


def test_every_service_has_a_fragment_and_no_fragment_is_of_another() -> None:
    others = {"compose.yaml", "common.yaml", "control-plane.yaml"}
    fragments = {path.name for path in COMPOSE.glob("*.yaml")} - others
    wanted = {f"{name}.yaml" for name in FILE.apps}
    missing, strange = wanted - fragments, fragments - wanted
    assert not missing, f"not in deploy/compose: {missing}; copy shipping.yaml, and change it"
    assert not strange, f"in deploy/compose, and of no service of dapr.yaml: {strange}"
    apart = {*fragments, "control-plane.yaml"} - set(read("compose.yaml")["include"])
    assert not apart, f"not under include in deploy/compose/compose.yaml: {apart}"


@pytest.mark.parametrize("app", RUN["apps"], ids=lambda app: str(app["appID"]))
def test_a_service_has_the_port_and_the_environment_of_dapr_yaml(app: dict[str, Any]) -> None:
    service = read(f"{app['appID']}.yaml")["services"][app["appID"]]
    environment = COMMON["app"]["environment"] | service["environment"]
    wanted = RUN["common"]["env"] | app.get("env", {})
    assert {name: environment[name] for name in environment.keys() - OF_THE_CONTAINER} == wanted
    port = app["appPort"]
    assert environment["UVICORN_PORT"] == str(port)
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert app["command"][2] == f"{service['build']['args'].get('PACKAGE', app['appID'])}.main:app"


@pytest.mark.parametrize("app", RUN["apps"], ids=lambda app: str(app["appID"]))
def test_a_service_and_its_sidecar_find_each_other(app: dict[str, Any]) -> None:
    name = app["appID"]
    services = read(f"{name}.yaml")["services"]
    assert services.keys() == {name, f"{name}-dapr"}
    environment = services[name]["environment"]
    assert environment["DAPR_RUNTIME_HOST"] == f"{name}-dapr"
    assert environment["DAPR_HTTP_PORT"] == str(app["daprHTTPPort"])
    assert environment["DAPR_GRPC_PORT"] == str(app["daprGRPCPort"])
    assert flags(services[f"{name}-dapr"]["command"]) == {
        "--app-id": [name],
        "--app-channel-address": [name],
        "--app-port": [str(app["appPort"])],
        "--dapr-http-port": [str(app["daprHTTPPort"])],
        "--dapr-grpc-port": [str(app["daprGRPCPort"])],
        "--metrics-port": [str(app["metricsPort"])],
    }
    assert [name] == services[name]["networks"] == services[f"{name}-dapr"]["networks"]


def test_sidecars_read_the_components_and_the_configuration_of_dapr_yaml() -> None:
    sidecar = COMMON["sidecar"]
    started = flags(sidecar["entrypoint"])
    servers = deployment.environment(FILE)
    paths = [
        path.replace("${BROKER}", servers["BROKER"]).replace("${STORE}", servers["STORE"])
        for path in started["--resources-path"]
    ]
    assert paths == [f"/{path}" for path in FILE.resources]
    assert started["--config"][0] == f"/{RUN['common']['configFilePath']}"
    assert "../../components:/components:ro" in sidecar["volumes"]


def test_sidecars_find_placement_scheduler_and_each_other() -> None:
    started = flags(COMMON["sidecar"]["entrypoint"])
    control = read("control-plane.yaml")["services"]
    for name, port in (("placement", FILE.placement), ("scheduler", FILE.scheduler)):
        assert started[f"--{name}-host-address"] == [f"{name}:{port}"]
        assert f"--port={port}" in control[name]["command"]
    resolution = yaml.safe_load((ROOT / "deploy/name-resolution.yaml").read_text())
    template = resolution["spec"]["nameResolution"]["configuration"]["template"]
    (internal,) = started["--dapr-internal-grpc-port"]
    assert re.sub(r"\W+ \.ID \W+", "orders-", template) == f"orders-dapr:{internal}"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda each: f"{each.kind}-{each.name}")
def test_every_profile_has_a_server_and_what_its_components_read(profile: Profile) -> None:
    server = read(f"servers/{profile.name}.yaml")["services"]
    assert server.keys() == {deployment.SERVER[profile.kind]}
    assert deployment.settings(profile, "secret").keys() == (
        profile.environment.keys() - profile.of_the_services.keys()
    )


def test_secrets_are_made_once_and_only_their_owner_may_look_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    deployment.make_secrets(FILE, folder)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    deployment.make_secrets(FILE, folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(made["broker-password"]) == 64
    assert made["broker-password"] != made["store-password"]


def test_a_password_reaches_the_server_and_what_uses_it() -> None:
    redis = deployment.settings(Profile("pubsub", "redis"), "secret")
    assert redis["REDIS_HOST"] == "broker:6379"
    assert redis["REDIS_PASSWORD"] == "secret"


def test_a_server_of_ones_own_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_HOST", "redis.example.com:6379")
    redis = deployment.settings(Profile("pubsub", "redis"), "secret")
    assert redis["REDIS_HOST"] == "redis.example.com:6379"


def test_a_fragment_that_is_not_there_is_named() -> None:
    with pytest.raises(AssertionError, match=r"there is no deploy/compose/no-service\.yaml"):
        read("no-service.yaml")


def test_beside_a_server_of_ones_own_no_container_of_one_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (broker,) = [profile for profile in in_use(FILE) if profile.kind == "pubsub"]
    for name in broker.environment:
        monkeypatch.delenv(name, raising=False)
    assert deployment.environment(FILE)["BROKER_REPLICAS"] == "1"
    monkeypatch.setenv(next(iter(deployment.settings(broker, ""))), "broker.example.com:1")
    assert deployment.environment(FILE)["BROKER_REPLICAS"] == "0"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda each: f"{each.kind}-{each.name}")
def test_how_many_containers_a_server_has_is_left_to_the_environment(profile: Profile) -> None:
    ((name, server),) = read(f"servers/{profile.name}.yaml")["services"].items()
    left = re.fullmatch(r"\$\{(\w+):-1\}", str(server["deploy"]["replicas"]))
    # Otherwise there is none of it to start.
    assert left is None or left[1] == f"{name.upper()}_REPLICAS"
    assert left or server["deploy"]["replicas"] == 0
