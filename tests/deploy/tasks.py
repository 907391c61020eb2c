"""The tasks of a stack under Swarm: their containers, by service."""

import json
import os
import signal

from tests.deploy.daemon import Docker
from tests.waiting import wait_until

STACK = "order-fulfilment"
TASKS = ("stack", "ps", "--no-trunc", STACK)
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
    wait_until(
        f"{service} is whole, with another task",
        lambda: not running(docker, service) <= before and is_whole(docker, service),
        HEALTHY_SECONDS,
        state=lambda: docker.run(*TASKS),
    )


def wait_until_whole(docker: Docker, service: str) -> None:
    """Each of its tasks may just be on its way back."""
    wait_until(
        f"{service} is whole",
        lambda: is_whole(docker, service),
        HEALTHY_SECONDS,
        state=lambda: docker.run(*TASKS),
    )


def is_whole(docker: Docker, service: str) -> bool:
    """All its tasks are there and healthy."""
    healthy, wanted = replicas(docker)[service].split("/")
    return healthy == wanted


def wait_until_none_is_left(docker: Docker) -> None:
    """A removed stack takes its time to end its tasks."""
    label = f"label=com.docker.stack.namespace={STACK}"
    wait_until(
        "no task is left",
        lambda: not docker.run("ps", "--all", "--quiet", "--filter", label),
        GONE_SECONDS,
        state=lambda: docker.run("ps", "--all"),
    )
