"""The stack for Swarm is clean on every profile, and runs what dapr.yaml and deploy/compose run."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import compose_plugin
from tests.deploy.test_compose_config import BROKERS, STORES

Stack = Callable[[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """In which `docker compose` works, and nothing else of this user's Docker."""
    assert shutil.which("docker"), "the Docker CLI is not there: apt-get install docker.io"
    folder = tmp_path_factory.mktemp("config")
    (folder / "cli-plugins").mkdir()
    (folder / "cli-plugins" / "docker-compose").symlink_to(compose_plugin.find())
    return {**os.environ, "DOCKER_CONFIG": str(folder)}


@pytest.fixture(scope="module")
def stack(
    installed: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Stack:
    """As Docker reads what tools/src/workspace/swarm.py makes for a broker and a store."""
    workspace = tmp_path_factory.mktemp("stack") / "workspace"
    shutil.copytree(installed, workspace, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
    program = str(installed / ".venv" / "bin" / "workspace")
    read: dict[tuple[str, str], dict[str, Any]] = {}

    def stack_of(broker: str, store: str) -> dict[str, Any]:
        if (broker, store) not in read:
            run([program, "use", "--broker", broker, "--store", store], workspace, environment)
            made = run([program, "stack", "config"], workspace, environment)
            (workspace / "stack.yaml").write_text(made)
            clean = ["docker", "stack", "config", "--compose-file", "stack.yaml"]
            read[broker, store] = yaml.safe_load(run(clean, workspace, environment))
        return read[broker, store]

    return stack_of


def run(command: list[str], workspace: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=workspace, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


@pytest.mark.parametrize(("broker", "store"), [*product(BROKERS, STORES)])
def test_sidecars_get_the_component_files_of_the_profile(
    broker: str, store: str, stack: Stack, installed: Path
) -> None:
    made = stack(broker, store)
    folders = (".", f"pubsub/{broker}", f"state/{store}")
    components = installed / "components"
    wanted = {
        f"/components/{file.relative_to(components)}": file.read_text()
        for folder in folders
        for file in (components / folder).glob("*.yaml")
    }
    for name, service in made["services"].items():
        if name.endswith("-dapr"):
            files = {each["target"]: each["source"] for each in service["configs"]}
            contents = {
                target: Path(made["configs"][source]["file"]).read_text()
                for target, source in files.items()
                if target.startswith("/components/")
            }
            assert contents == wanted, name


def test_services_ports_and_environment_are_those_of_dapr_yaml(
    stack: Stack, installed: Path
) -> None:
    services = stack("redis", "sqlite")["services"]
    file = yaml.safe_load((installed / "dapr.yaml").read_text())
    apps = {app["appID"]: app for app in file["apps"]}
    parts = {"broker", "placement", "scheduler", "sentry", "edge"}
    assert services.keys() == parts | apps.keys() | {f"{name}-dapr" for name in apps}
    published = {(port["target"], port["published"]) for port in services["edge"]["ports"]}
    assert published == {(app["appPort"], app["appPort"]) for app in apps.values()}
    for name, app in apps.items():
        environment = services[name]["environment"]
        wanted = {name: str(value) for name, value in file["common"]["env"].items()}
        wanted |= app.get("env", {})
        assert {key: environment[key] for key in wanted} == wanted
        assert environment["UVICORN_PORT"] == str(app["appPort"])
        assert f"--dapr-http-port={app['daprHTTPPort']}" in services[f"{name}-dapr"]["command"]


@pytest.mark.parametrize("store", STORES)
def test_only_what_keeps_nothing_has_replicas(store: str, stack: Stack) -> None:
    for name, service in stack("redis", store)["services"].items():
        deploy = service["deploy"]
        if service.get("volumes"):
            assert deploy["replicas"] == 1, name
            assert deploy["update_config"]["order"] == "stop-first", name
            assert deploy["placement"]["constraints"] == ["node.labels.state == true"], name
        elif deploy.get("replicas", 1) > 1:
            assert deploy["update_config"]["order"] == "start-first", name
    sidecar = stack("redis", store)["services"]["orders-dapr"]
    assert bool(sidecar.get("volumes")) == (store == "sqlite")


def test_configs_and_secrets_are_named_after_their_content(stack: Stack) -> None:
    made = stack("redis", "sqlite")
    for kind in ("configs", "secrets"):
        for name, each in made[kind].items():
            assert re.fullmatch(rf"order-fulfilment-{name}-[0-9a-f]{{12}}", each["name"])
