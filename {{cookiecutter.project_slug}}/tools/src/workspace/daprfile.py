"""What dapr.yaml says, so that no port and no profile is written down twice."""

import shlex
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from workspace import yamlfile
from workspace.errors import StackError


def _root() -> Path:
    """The workspace that one stands in, or else the one that this package belongs to."""
    here = Path.cwd()
    standing = (folder for folder in (here, *here.parents) if (folder / "dapr.yaml").is_file())
    return next(standing, Path(__file__).resolve().parents[3])


ROOT = _root()


def package_of(app_id: str) -> str:
    """Of a service in Python."""
    return app_id.replace("-", "_")


RUN_FILE = ROOT / "dapr.yaml"


#: What YAML 1.1 does not read as a string: an app has its name in many files.
NO_STRINGS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def _name(given: object) -> object:
    if isinstance(given, bool) or given is None or given in NO_STRINGS:
        raise PydanticCustomError(
            "name",
            "YAML reads on, off, yes, no, y, n, true, false and null as something else than a "
            "name: give the app another one",
        )
    return given


#: As Kubernetes has it (RFC 1123), and no longer than what is made of it allows.
_AppId = Annotated[str, BeforeValidator(_name), Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")]


@dataclass(frozen=True)
class App:
    """One service and its sidecar: name and ports as `dapr run -f .` uses them."""

    app_id: _AppId = Field(alias="appID")
    app_port: int = Field(alias="appPort")
    http_port: int = Field(alias="daprHTTPPort")
    grpc_port: int = Field(alias="daprGRPCPort")
    metrics_port: int = Field(alias="metricsPort")
    env: dict[str, str] = Field(default_factory=dict)
    command: list[str] = Field(default_factory=list)

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.app_port, self.http_port, self.grpc_port, self.metrics_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.app_port}"

    @property
    def arguments(self) -> list[str]:
        """What its process is started with, after the program."""
        if self.command[:2] == ["sh", "-c"]:
            # exec, and the program.
            return shlex.split(self.command[2])[2:]
        return self.command[1:]

    @property
    def package(self) -> str:
        """Of a service in Python."""
        return package_of(self.app_id)


_Address = Annotated[str, Field(pattern=r":\d+$")]


class _Common(BaseModel):
    resources: list[str] = Field(alias="resourcesPaths")
    placement: _Address = Field(alias="placementHostAddress")
    scheduler: _Address = Field(alias="schedulerHostAddress")
    env: dict[str, str] = Field(default_factory=dict)


class _Content(BaseModel):
    common: _Common
    apps: list[App]

    @field_validator("apps")
    @classmethod
    def _are_distinct(cls, apps: list[App]) -> list[App]:
        for what, given in (
            ("appID", [app.app_id for app in apps]),
            ("port", [port for app in apps for port in app.ports]),
        ):
            for one, times in Counter(given).items():
                if times > 1:
                    raise PydanticCustomError("twice", f"{what} {one} is there twice")
        return apps


class DaprFile:
    """The multi-app run file of this workspace."""

    def __init__(self, path: Path = RUN_FILE) -> None:
        """Raises `StackError`, of one line, for a file that lacks what we need of it."""
        try:
            self._content = _Content.model_validate(next(iter(yamlfile.documents(path)), None))
        except ValidationError as error:
            wrong = error.errors()[0]
            parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong["loc"])
            where = "".join(parts).removeprefix(".") or "the whole file"
            raise StackError(f"{path}: {where}: {wrong['msg']}. Correct it there.") from error

    @cached_property
    def apps(self) -> dict[str, App]:
        return {app.app_id: app for app in self._content.apps}

    @property
    def env(self) -> dict[str, str]:
        """What every app is given."""
        return dict(self._content.common.env)

    @property
    def placement(self) -> int:
        return _port(self._content.common.placement)

    @property
    def scheduler(self) -> int:
        return _port(self._content.common.scheduler)

    @property
    def resources(self) -> list[str]:
        """The folders of components that every sidecar reads."""
        return list(self._content.common.resources)


def _port(address: str) -> int:
    return int(address.rsplit(":", 1)[1])
