"""Docker Swarm, on a daemon of its own: replicas, crashes, an update under load, a rollback."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy import images, network, tasks
from tests.deploy.daemon import docker
from tests.deploy.rendered import Workspace

SERVICES = ("orders", "inventory", "payments", "shipping")
CONTROL_PLANE = ("placement", "scheduler", "sentry")
ONE = ("broker", "edge", *CONTROL_PLANE, *(f"{name}-dapr" for name in SERVICES))


@pytest.fixture(scope="module")
def workspace(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Up, from nothing, and taken down again."""
    folder = tmp_path_factory.mktemp("docker")
    with docker(folder) as daemon:
        images.make(daemon, folder, "valkey", "haproxy")
        daemon.run("swarm", "init", "--advertise-addr", "127.0.0.1")
        running = Workspace(installed, daemon)
        try:
            running.make("stack-up")
            yield running
        finally:
            running.make("stack-down")
            tasks.wait_until_none_is_left(daemon)


def test_the_stack_file_is_clean(workspace: Workspace) -> None:
    file = workspace.folder / ".run/swarm/stack.yaml"
    done = subprocess.run(
        ["docker", "stack", "config", "--compose-file", str(file)],
        env=workspace.environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_service_has_its_replicas(workspace: Workspace) -> None:
    expected = dict.fromkeys(ONE, "1/1") | dict.fromkeys(SERVICES, "2/2")
    assert tasks.replicas(workspace.docker) == expected


def test_the_three_styles_end_as_planned(workspace: Workspace) -> None:
    with workspace.traffic(count=50, seconds=2):
        pass


@pytest.mark.parametrize(
    "path",
    [
        *("metrics", "docs", "openapi.json", "dapr/subscribe", "events/x", "%6detrics"),
        *("dead-letters", "processes"),
    ],
)
def test_the_edge_lets_in_only_what_is_for_customers(workspace: Workspace, path: str) -> None:
    assert "HTTP/1.1 404" in sent(workspace, f"GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n")


def test_dead_letters_are_for_who_shows_a_token(workspace: Workspace) -> None:
    request = "GET /dead-letters HTTP/1.1\r\nhost: x\r\ndapr-api-token: guessed\r\n\r\n"
    assert "HTTP/1.1 401" in sent(workspace, request)


@pytest.mark.parametrize(
    "half",
    [
        "POST /orders HTTP/1.1\r\nhost: x\r\n",
        "POST /orders HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
    ],
    ids=["head", "body"],
)
def test_half_a_request_is_given_up(workspace: Workspace, half: str) -> None:
    assert "HTTP/1.1 408" in sent(workspace, half)


def sent(workspace: Workspace, request: str) -> str:
    """The first that comes back for it from the edge of orders, before it waits for long."""
    script = (
        "import socket, sys; c = socket.create_connection(('127.0.0.1', 8001), 10); "
        "c.sendall(sys.argv[1].encode()); print(c.recv(4096).decode())"
    )
    inside = network.inside(workspace.docker.namespace, sys.executable, "-c", script, request)
    return subprocess.run(inside, capture_output=True, text=True, check=True, timeout=20).stdout


@pytest.mark.parametrize("killed", ["inventory", "orders", "payments-dapr", "broker"])
def test_one_task_is_killed_and_nothing_is_lost(killed: str, workspace: Workspace) -> None:
    others = {name: tasks.running(workspace.docker, name) for name in SERVICES if name != killed}
    with workspace.traffic(count=20, seconds=6):
        tasks.crash_one(workspace.docker, killed)
    assert {name: tasks.running(workspace.docker, name) for name in others} == others


def test_everything_is_updated_under_load_and_no_order_is_lost(workspace: Workspace) -> None:
    before = {name: tasks.running(workspace.docker, name) for name in (*SERVICES, *ONE)}
    with workspace.traffic(count=40, seconds=40):
        workspace.make("stack-up", "TAG=2")
    for name in (*SERVICES, *(f"{name}-dapr" for name in SERVICES)):
        assert not tasks.running(workspace.docker, name) & before[name], name


def test_an_update_that_does_not_start_is_taken_back_and_no_order_is_lost(
    workspace: Workspace,
) -> None:
    settings = workspace.folder / "services/payments/src/payments/settings.py"
    text = settings.read_text()
    before = tasks.running(workspace.docker, "payments")
    try:
        settings.write_text(f'{text}\nraise RuntimeError("a bad release")\n')
        with (
            workspace.traffic(count=20, seconds=20),
            pytest.raises(RuntimeError, match="payments: rollback completed"),
        ):
            workspace.make("stack-up", "TAG=3")
    finally:
        settings.write_text(text)
    assert tasks.running(workspace.docker, "payments") & before
    assert tasks.replicas(workspace.docker)["payments"] == "2/2"


def test_components_are_those_of_the_workspace(workspace: Workspace) -> None:
    # Updates of orders may have ended its sidecar: see libs/chassis/src/chassis/watchdog.py.
    tasks.wait_until_whole(workspace.docker, "orders-dapr")
    (sidecar,) = tasks.running(workspace.docker, "orders-dapr")
    for file in (
        "configuration.yaml",
        "resiliency.yaml",
        "access-control.yaml",
        "workflow-access.yaml",
        "pubsub/redis/pubsub.yaml",
        "state/sqlite/statestore.yaml",
    ):
        inside = workspace.docker.run("exec", sidecar, "cat", f"/components/{file}")
        assert inside == (workspace.folder / "components" / file).read_text().strip()
