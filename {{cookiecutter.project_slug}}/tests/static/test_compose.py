"""What of deploy/compose is not derived fits dapr.yaml: components, servers, control plane."""

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


def read(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((COMPOSE / name).read_text()))


COMMON = read("common.yaml")["services"]


def flags(command: list[str]) -> dict[str, list[str]]:
    """The values of each --flag=value."""
    found: dict[str, list[str]] = {}
    for flag in command:
        name, _, value = flag.partition("=")
        found.setdefault(name, []).append(value)
    return found


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
    assert re.sub(r"\W+ \.ID \W+", "app-", template) == f"app-dapr:{internal}"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda each: f"{each.kind}-{each.name}")
def test_every_profile_has_a_server_and_what_its_components_read(profile: Profile) -> None:
    server = read(f"servers/{profile.name}.yaml")["services"]
    assert server.keys() == {deployment.SERVER[profile.kind]}
    assert deployment.settings(profile, "secret").keys() == (
        profile.environment.keys() - profile.of_the_services.keys()
    )


@pytest.mark.parametrize("profile", PROFILES, ids=lambda each: f"{each.kind}-{each.name}")
def test_the_logs_of_every_container_are_bounded(profile: Profile) -> None:
    (server,) = read(f"servers/{profile.name}.yaml")["services"].values()
    roots = [server] if "extends" not in server else []
    for each in (*roots, COMMON["member"], COMMON["dapr"]):
        assert each["logging"] == {"driver": "local"}


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


def test_what_overrides_the_rest_is_merged_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    override = tmp_path / "compose.override.yaml"
    monkeypatch.setattr(deployment, "OVERRIDE", override)
    assert deployment.compose_files() == ["--file", str(deployment.COMPOSE_FILE)]
    override.touch()
    assert deployment.compose_files()[-2:] == ["--file", str(override)]
