"""The containers of a workspace under Compose, one for each of its services."""

import json
import os
import signal
from dataclasses import dataclass
from typing import Any

from tests.deploy.daemon import Docker
from tests.waiting import wait_until

HEALTHY_SECONDS = 90


@dataclass(frozen=True)
class Container:
    service: str
    docker: Docker

    @property
    def id(self) -> str:
        label = f"label=com.docker.compose.service={self.service}"
        (id,) = self.docker.run("ps", "--all", "--quiet", "--filter", label).split()
        return id

    def inspect(self) -> dict[str, Any]:
        (found,) = json.loads(self.docker.run("inspect", self.id))
        return dict(found)

    @property
    def started(self) -> str:
        """When, as Docker tells it: another time after every start."""
        return str(self.inspect()["State"]["StartedAt"])

    def run(self, *command: str, given: str = "") -> str:
        """What it prints inside, given this. Raises RuntimeError where it fails."""
        return self.docker.run("exec", "--interactive", self.id, *command, given=given)

    def crash(self) -> None:
        """SIGKILL from outside, as the kernel would: Docker starts it again, as its policy says."""
        os.kill(self.inspect()["State"]["Pid"], signal.SIGKILL)

    def wait_until_healthy_again(self, started: str) -> None:
        """Since it was `started`. Fails after a while."""

        def healthy_again() -> bool:
            state = self.inspect()["State"]
            health: str | None = state.get("Health", {}).get("Status")
            return health == "healthy" and bool(state["StartedAt"] != started)

        wait_until(
            f"{self.service} is healthy again",
            healthy_again,
            HEALTHY_SECONDS,
            state=lambda: json.dumps(self.inspect()["State"])[:2000],
        )


def names(docker: Docker) -> list[str]:
    """Of all services that have a container, in any state."""
    label = '{{.Label "com.docker.compose.service"}}'
    return sorted(docker.run("ps", "--all", "--format", label).split())
