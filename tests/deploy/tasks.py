"""The tasks of a stack under Swarm: their containers, by service."""

import json
import os
import signal
import time

from tests.deploy.daemon import Docker

STACK = "order-fulfilment"
HEALTHY_SECONDS = 120
GONE_SECONDS = 60


def replicas(docker: Docker) -> dict[str, str]:
    """By service, as in 2/2."""
    lines = docker.run("stack", "services", STACK).splitlines()[1:]
    return {line.split()[1].removeprefix(f"{STACK}_"): line.split()[3] for line in lines}


def running(docker: Docker, service: str) -> set[str]:
    """The containers of its tasks that run now."""
    label = f"label=com.docker.swarm.service.name={STACK}_{service}"
    return set(docker.run("ps", "--quiet", "--no-trunc", "--filter", label).split())


def crash_one(docker: Docker, service: str) -> None:
    """SIGKILL for one of its tasks, and wait until another one is healthy in its place."""
    before = running(docker, service)
    (state,) = json.loads(docker.run("inspect", min(before)))
    os.kill(state["State"]["Pid"], signal.SIGKILL)
    deadline = time.monotonic() + HEALTHY_SECONDS
    while running(docker, service) <= before or not is_whole(docker, service):
        assert time.monotonic() < deadline, docker.run("stack", "ps", "--no-trunc", STACK)
        time.sleep(0.5)


def wait_until_whole(docker: Docker, service: str) -> None:
    """Each of its tasks may just be on its way back."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    while not is_whole(docker, service):
        assert time.monotonic() < deadline, docker.run("stack", "ps", "--no-trunc", STACK)
        time.sleep(0.5)


def is_whole(docker: Docker, service: str) -> bool:
    """All its tasks are there and healthy."""
    healthy, wanted = replicas(docker)[service].split("/")
    return healthy == wanted


def wait_until_none_is_left(docker: Docker) -> None:
    """A removed stack takes its time to end its tasks."""
    deadline = time.monotonic() + GONE_SECONDS
    label = f"label=com.docker.stack.namespace={STACK}"
    while docker.run("ps", "--all", "--quiet", "--filter", label):
        assert time.monotonic() < deadline, docker.run("ps", "--all")
        time.sleep(0.5)
