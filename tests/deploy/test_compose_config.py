"""Docker Compose takes every file of deploy/compose without a complaint, on every profile."""

import json
import os
import subprocess
from itertools import product
from pathlib import Path

import pytest

from tests.deploy import compose_plugin

BROKERS = ("redis", "kafka", "rabbitmq", "snssqs", "jetstream")
STORES = ("sqlite", "postgresql")


@pytest.fixture(scope="module")
def compose() -> Path:
    return compose_plugin.find()


@pytest.mark.parametrize(("broker", "store"), [*product(BROKERS, STORES)])
def test_config_is_clean(broker: str, store: str, compose: Path, installed: Path) -> None:
    done = subprocess.run(
        [str(compose), "--file", "deploy/compose/compose.yaml", "config", "--quiet"],
        cwd=installed,
        env={**os.environ, "BROKER": broker, "STORE": store},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_sidecars_trust_the_authority_of_a_server_of_ones_own(
    compose: Path, installed: Path, tmp_path: Path
) -> None:
    authority = tmp_path / "authority.pem"
    authority.touch()
    choice = {"BROKER": "redis", "STORE": "postgresql", "CA_FILE": str(authority)}
    said = subprocess.run(
        [str(compose), "--file", "deploy/compose/compose.yaml", "config", "--format", "json"],
        cwd=installed,
        env={**os.environ, **choice},
        capture_output=True,
        check=True,
    ).stdout
    composed = json.loads(said)
    assert composed["configs"]["authorities"]["file"] == str(authority)
    sidecars = [each for name, each in composed["services"].items() if name.endswith("-dapr")]
    assert len(sidecars) == 4
    for sidecar in sidecars:
        (config,) = [each for each in sidecar["configs"] if each["source"] == "authorities"]
        assert str(Path(config["target"]).parent) == sidecar["environment"]["SSL_CERT_DIR"]


def test_without_make_it_says_where_broker_and_store_come_from(
    compose: Path, installed: Path
) -> None:
    done = subprocess.run(
        [str(compose), "--file", "deploy/compose/compose.yaml", "config", "--quiet"],
        cwd=installed,
        env={name: value for name, value in os.environ.items() if name not in ("BROKER", "STORE")},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "make compose-up takes it from dapr.yaml" in done.stderr


def test_what_overrides_a_service_is_merged(compose: Path, installed: Path, tmp_path: Path) -> None:
    override = tmp_path / "compose.override.yaml"
    override.write_text("services: {inventory: {environment: {LOG_LEVEL: DEBUG}}}\n")
    files = ["--file", "deploy/compose/compose.yaml", "--file", str(override)]
    said = subprocess.run(
        [str(compose), *files, "config", "--format", "json"],
        cwd=installed,
        env={**os.environ, "BROKER": "redis", "STORE": "sqlite"},
        capture_output=True,
        check=True,
    ).stdout
    environment = json.loads(said)["services"]["inventory"]["environment"]
    assert environment["LOG_LEVEL"] == "DEBUG"
    assert environment["UVICORN_PORT"] == "8002"
