"""What dapr.yaml says, so that no port and no profile is written down twice."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
RUN_FILE = ROOT / "dapr.yaml"


@dataclass(frozen=True)
class App:
    """One service and its sidecar: name and ports as `dapr run -f .` uses them."""

    app_id: str
    app_port: int
    http_port: int
    grpc_port: int
    metrics_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.app_port}"


class DaprFile:
    """The multi-app run file of this workspace."""

    def __init__(self, path: Path = RUN_FILE) -> None:
        self._content: dict[str, Any] = yaml.safe_load(path.read_text())

    @cached_property
    def apps(self) -> dict[str, App]:
        return {
            app["appID"]: App(
                app["appID"],
                app["appPort"],
                app["daprHTTPPort"],
                app["daprGRPCPort"],
                app["metricsPort"],
            )
            for app in self._content["apps"]
        }

    @property
    def placement(self) -> int:
        return _port(self._content["common"]["placementHostAddress"])

    @property
    def scheduler(self) -> int:
        return _port(self._content["common"]["schedulerHostAddress"])

    @property
    def resources(self) -> list[str]:
        """The folders of components that every sidecar reads."""
        return list(self._content["common"]["resourcesPaths"])


def _port(address: str) -> int:
    return int(address.rsplit(":", 1)[1])
