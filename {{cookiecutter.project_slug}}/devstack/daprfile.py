"""What dapr.yaml says, so that no port and no profile is written down twice."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


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

    def __init__(self, path: Path = ROOT / "dapr.yaml") -> None:
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
    def broker(self) -> str:
        """The profile in use: the folder's name under components/pubsub."""
        for path in self._content["common"]["resourcesPaths"]:
            folder = Path(path)
            if folder.parent.name == "pubsub":
                return folder.name
        raise KeyError("dapr.yaml names no folder of components/pubsub")


def _port(address: str) -> int:
    return int(address.rsplit(":", 1)[1])
