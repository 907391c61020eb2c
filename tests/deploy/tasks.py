"""The tasks of a stack under Swarm: their containers, by service."""

import json
import os
import signal
import time
from collections.abc import Callable

from tests.deploy.daemon import Docker

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
    _wait_until(
        lambda: not running(docker, service) <= before and is_whole(docker, service),
        HEALTHY_SECONDS,
        lambda: docker.run(*TASKS),
    )


def wait_until_whole(docker: Docker, service: str) -> None:
    """Each of its tasks may just be on its way back."""
    _wait_until(lambda: is_whole(docker, service), HEALTHY_SECONDS, lambda: docker.run(*TASKS))


def is_whole(docker: Docker, service: str) -> bool:
    """All its tasks are there and healthy."""
    healthy, wanted = replicas(docker)[service].split("/")
    return healthy == wanted


def wait_until_none_is_left(docker: Docker) -> None:
    """A removed stack takes its time to end its tasks."""
    label = f"label=com.docker.stack.namespace={STACK}"
    _wait_until(
        lambda: not docker.run("ps", "--all", "--quiet", "--filter", label),
        GONE_SECONDS,
        lambda: docker.run("ps", "--all"),
    )


def _wait_until(is_so: Callable[[], bool], seconds: float, state: Callable[[], str]) -> None:
    """Fails after so many seconds with the state that there is then."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, state()
        time.sleep(0.5)
