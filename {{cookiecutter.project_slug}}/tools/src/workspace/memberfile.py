"""member.toml: what a service in another language says of itself, see docs/members.md."""

import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workspace.daprfile import ROOT, package_of
from workspace.errors import StackError

SERVICES = ROOT / "services"
NAME = "member.toml"

Topic = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,79}$")]
Route = Annotated[str, Field(pattern=r"^/\S*$")]
Command = Annotated[tuple[str, ...], Field(min_length=1)]


#: What follows from a message.
Outcomes = tuple[Topic, ...]


class MemberFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Routes that answer 2xx when it can work, and as long as its process lives.
    ready: Route = "/readyz"
    alive: Route = "/healthz"
    #: Whether it keeps what its sidecar gives up on, and shows it at /dead-letters.
    dead_letters: bool = True
    #: Whether it gives commands by service invocation.
    invokes: bool = False

    subscribes: tuple[Topic, ...] = ()
    publishes: tuple[Topic, ...] = ()
    #: Each event that it reacts to, and each command that it takes, with what follows from it.
    reacts: dict[Topic, Outcomes] = {}
    answers: dict[Topic, Annotated[Outcomes, Field(min_length=1)]] = {}
    #: Each command that undoes another one, with that one: an undo that comes first wins.
    undoes: dict[Topic, Topic] = {}

    #: What `make setup`, `make check` and `make test` run in its folder.
    setup: Command | None = None
    check: Command | None = None
    test: Command | None = None


#: What the chassis does for a service in Python, less what its code says.
CHASSIS = MemberFile()


def of(app_id: str, services: Path = SERVICES) -> MemberFile | None:
    """None for a service in Python. Raises `StackError`."""
    path = services / app_id / NAME
    if not path.exists():
        return None
    try:
        return MemberFile.model_validate(tomllib.loads(path.read_text()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StackError(f"{path} cannot be read as TOML: {error}. Correct it there.") from error
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise StackError(f"{path}: {where}: {wrong['msg']}. Correct it there.") from error


def or_chassis(app_id: str, services: Path = SERVICES) -> MemberFile:
    """Raises `StackError`."""
    return of(app_id, services) or CHASSIS


def require_known(app_id: str) -> None:
    """Raises `StackError` for what is no service in Python, and does not say what it is."""
    package = package_of(app_id)
    if of(app_id) is None and find_spec(package) is None:
        raise StackError(
            f"dapr.yaml names {app_id}, its package {package} is not installed, and there is no "
            f"services/{app_id}/{NAME}. In Python: name {app_id} in pyproject.toml, under "
            "dependencies and tool.uv.sources, and run `make setup`. In another language: "
            "docs/members.md says what that file holds. Or take it out of dapr.yaml."
        )
