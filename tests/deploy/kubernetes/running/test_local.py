"""`make kube-up` on a laptop's cluster: what is accepted is fulfilled, whatever is killed."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.kubernetes.running.node import Cluster
from tests.deploy.kubernetes.running.prepare import SLUG
from tests.deploy.kubernetes.running.workload import Workload
from tests.waiting import wait_until

#: Users of the images, to whom their disks belong.
DAPRD, VALKEY = 65532, 10999


@pytest.fixture(scope="module")
def local(running: Cluster, prepared: Path) -> Iterator[Workload]:
    running.volume("data", SLUG, DAPRD)
    running.volume("broker-broker-0", SLUG, VALKEY)
    workload = Workload(running, prepared / SLUG, "local")
    workload.up()
    yield workload
    workload.down()


def test_every_order_ends_as_it_must_in_each_style(local: Workload) -> None:
    with local.orders("STYLES", count=20, seconds=4):
        pass


def test_the_sidecar_gets_its_signal_with_its_app_and_finishes_what_it_has(local: Workload) -> None:
    (pod,) = local.pods("orders")
    containers = {each["name"]: each for each in pod["spec"]["containers"]}
    assert set(containers) == {"app", "daprd"}
    arguments = containers["daprd"]["args"]
    assert arguments[arguments.index("--dapr-block-shutdown-duration") + 1] == "10s"


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("inventory", "app"),
        ("orders", "app"),
        ("payments", "daprd"),
        ("orders", "daprd"),
        ("broker", "broker"),
    ],
)
def test_nothing_is_lost_when_a_container_is_killed(
    local: Workload, name: str, container: str
) -> None:
    with local.orders(f"KILL-{name}-{container}".upper(), count=30, seconds=15):
        time.sleep(5)
        (pod,) = local.pods(name)
        os.kill(local.cluster.pid(pod, container), signal.SIGKILL)
        wait_until(
            f"{container} of {name} is started again",
            lambda: restarts(local, name, container) > restarts_in(pod, container),
            seconds=60,
        )


def restarts(local: Workload, name: str, container: str) -> int:
    (pod,) = local.pods(name)
    return restarts_in(pod, container)


def restarts_in(pod: dict, container: str) -> int:  # type: ignore[type-arg]
    status = pod["status"]
    every = [*status["containerStatuses"], *status.get("initContainerStatuses", ())]
    return next(int(each["restartCount"]) for each in every if each["name"] == container)
