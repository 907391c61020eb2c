"""Docker Swarm, on a daemon of its own: replicas, crashes, an update under load, a rollback."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy import images, tasks
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
