"""The broker and the store in use: which profile of components/, and where its server is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace import envfile, ports, yamlfile
from workspace.daprfile import ROOT, RUN_FILE, DaprFile
from workspace.errors import StackError, UnknownName

COMPONENTS = ROOT / "components"
OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"
START = "# Start one: "
OF_THE_SERVICES = {"BULK_DELIVERY"}
TABLES = ("tablePrefix", "metadataTableName")


@dataclass(frozen=True)
class Profile:
    """A folder of component files, such as components/pubsub/kafka: kind `pubsub`, name `kafka`."""

    kind: str
    name: str

    @property
    def environment(self) -> dict[str, str]:
        """What is read from the environment with it; where unset, as for development."""
        return envfile.read(self._file) if self._file.exists() else {}

    @property
    def of_the_services(self) -> dict[str, str]:
        """The part of it that services read: they may not know which broker is in use."""
        return {name: value for name, value in self.environment.items() if name in OF_THE_SERVICES}

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of its server; None for a profile that needs none, or Amazon's own."""
        for value in self.environment.values():
            if found := re.search(r"host=(\S+) port=(\d+)|([\w.-]+):(\d+)(?:[/,]|$)", value):
                host, port = found[1] or found[3], found[2] or found[4]
                return host, int(port)
        return None

    @property
    def missing_server(self) -> str | None:
        """How to start its server, if it needs one and none answers."""
        if self.address is None or ports.answers(self.address[1], self.address[0]):
            return None
        lines = self._file.read_text().splitlines()
        starts = [line.removeprefix("# ") for line in lines if line.startswith(START)]
        silent = f"{self.kind} {self.name}: nothing answers at {':'.join(map(str, self.address))}."
        return "\n".join([silent, *starts])

    @property
    def _file(self) -> Path:
        return COMPONENTS / self.kind / self.name / "development.env"


def in_use(file: DaprFile) -> list[Profile]:
    """The profiles that dapr.yaml names. Raises `StackError` for one that is not there."""
    folders = [Path(path) for path in file.resources]
    for folder in folders:
        _require_folder(folder)
    files = (path for folder in folders for path in sorted((ROOT / folder).glob("*.y*ml")))
    require_tables([each for path in files for each in yamlfile.documents(path)], file.apps)
    return [Profile(path.parent.name, path.name) for path in folders if len(path.parts) == 3]


def require_tables(components: Iterable[Any], app_ids: Iterable[str]) -> None:
    """Raises `StackError` for a table of PostgreSQL that would be named after an app with a hyphen.

    daprd 1.18.2 puts the name into its SQL without quotes, and ends with a syntax error.
    """
    hyphenated = [app_id for app_id in app_ids if "-" in app_id]
    for component in components:
        if not hyphenated or _type_of(component) != "state.postgresql":
            continue
        named = [
            entry["name"]
            for entry in component["spec"].get("metadata") or ()
            if entry["name"] in TABLES and "{appID}" in str(entry.get("value"))
        ]
        if named:
            raise StackError(
                f"{component['metadata']['name']} (state.postgresql): {' and '.join(named)} would "
                f"name tables after {hyphenated[0]}, and daprd writes no name with a hyphen into "
                "its SQL. Before there is data: give both a value without {appID} in "
                "components/state/postgresql/statestore.yaml (a key begins with its app's name, so "
                "services can share a table), or name the service without a hyphen."
            )


def _type_of(component: Any) -> object:
    spec = component.get("spec") if isinstance(component, dict) else None
    return spec.get("type") if isinstance(spec, dict) else None


def require_servers(used: Sequence[Profile]) -> None:
    """Raises `StackError`, which names each server that is missing and says how to start one."""
    missing = [missing for profile in used if (missing := profile.missing_server)]
    if missing:
        own = "Or export where your own is before `make up`: see docs/brokers.md."
        raise StackError("\n".join([*missing, own]))


def require_readable(file: DaprFile) -> None:
    """Raises `StackError` for a component file that is no YAML: sidecars only warn, and wait."""
    for folder in file.resources:
        for path in sorted((ROOT / folder).glob("*.y*ml")):
            yamlfile.documents(path)


def names(kind: str) -> list[str]:
    """The profiles of a kind that are there."""
    return _folders(COMPONENTS / kind)


def use(chosen: Mapping[str, str]) -> None:
    """Change the lines of dapr.yaml and of the Kubernetes overlays that name a profile, by kind.

    Raises `StackError` for a profile that is not there, and leaves all as it is.
    """
    for kind, name in chosen.items():
        known = names(kind)
        if name not in known:
            raise UnknownName(f"components/{kind}/{name}", known)
    for kind, name in chosen.items():
        _use(kind, name)


def _use(kind: str, name: str) -> None:
    _replace(RUN_FILE, rf"(components/{kind})/[\w-]+", name)
    one = "|".join(names(kind))
    if kind == "pubsub":
        for overlay in OVERLAYS.glob("*/kustomization.yaml"):
            _replace(overlay, rf"(/(?:brokers|servers|keda))/(?:{one})\b", name)
    else:
        # The other overlays have a database that somebody else runs, in any case.
        overlay = OVERLAYS / "local" / "kustomization.yaml"
        _replace(overlay, rf"(/(?:stores|servers))/(?:{one})\b", name)


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def _require_folder(folder: Path) -> None:
    if (ROOT / folder).is_dir():
        return
    above = next(each for each in folder.parents if (ROOT / each).is_dir())
    raise StackError(
        f"dapr.yaml names {folder} in resourcesPaths, and there is no such folder; "
        f"in {above} there are {', '.join(_folders(ROOT / above))}"
    )


def _replace(file: Path, pattern: str, name: str) -> None:
    file.write_text(re.sub(pattern, rf"\1/{name}", file.read_text()))
