"""The files of the workspace that name its services: one more is added to each."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workspace.daprfile import ROOT, DaprFile, package_of
from workspace.errors import StackError
from workspace.newservice.names import free_port, ports

UVICORN = 'exec "${UV_PROJECT_ENVIRONMENT:-.venv}/bin/uvicorn"'
APP = """\
  - appID: $name
    appDirPath: .
$ports
    command: [sh, -c, '$uvicorn --factory $package.main:app --port $port']
"""


def run_file(name: str, settings: Mapping[str, str], path: Path = ROOT / "dapr.yaml") -> int:
    """Add the app at the end of dapr.yaml, which is the list of apps. The port that it got."""
    port = free_port(DaprFile(path))
    of_app = "\n".join(f"    {key}: {value}" for key, value in ports(port).items())
    app = (
        APP.replace("$uvicorn", UVICORN)
        .replace("$name", name)
        .replace("$package", package_of(name))
    )
    app = app.replace("$ports", of_app).replace("$port", str(port))
    if settings:
        lines = [f'      {key}: "{value}"' for key, value in settings.items()]
        app += "\n".join(["    env:", *lines, ""])
    before = path.read_text()
    listed = re.sub(r"^apps: \[\]$", "apps:", before.rstrip("\n"), flags=re.MULTILINE)
    path.write_text(listed + "\n" + app)
    try:
        is_there = name in DaprFile(path).apps
    except StackError:
        is_there = False
    if not is_there:
        path.write_text(before)
        raise StackError(f"{path} does not end with its list of apps. Add to that list:\n{app}")
    return port


def project(name: str, path: Path = ROOT / "pyproject.toml") -> None:
    """Let uv install it, mypy read it and import-linter watch it."""
    package = package_of(name)
    text = path.read_text()
    text = _item(text, "project", "dependencies", name)
    text = text.replace("[tool.uv.sources]\n", "[tool.uv.sources]\n" + _source(name), 1)
    text = _item(text, "tool.mypy", "packages", package, f"services.{name}.tests")
    text = _item(text, "tool.importlinter", "root_packages", package)
    text = re.sub(r'^layers = \["', f'layers = ["{package} | ', text, count=1, flags=re.MULTILINE)
    wrong = list(_missing(tomllib.loads(text), name))
    if wrong:
        raise StackError(f"{path} has another form than expected: add {name} to {wrong[0]} there.")
    path.write_text(text)


def _source(name: str) -> str:
    return name + " = " + "{ workspace = true }\n"


def _item(text: str, table: str, key: str, *items: str) -> str:
    """The items at the end of a list of strings."""
    found = re.search(
        rf"(^\[{re.escape(table)}\]\n(?:(?!^\[).)*?^{key} = \[[^\]]*?)(,?\s*)\]",
        text,
        re.MULTILINE | re.DOTALL,
    )
    if not found:
        return text
    listed = ", ".join(f'"{item}"' for item in items)
    added = f",\n  {listed},\n]" if "\n" in found[2] else f", {listed}]"
    return text[: found.start()] + found[1] + added + text[found.end() :]


def _missing(content: Mapping[str, Any], name: str) -> list[str]:
    package, tool = package_of(name), content["tool"]
    lists = {
        "project.dependencies": name in content["project"]["dependencies"],
        "tool.uv.sources": name in tool["uv"]["sources"],
        "tool.mypy.packages": package in tool["mypy"]["packages"],
        "tool.importlinter.root_packages": package in tool["importlinter"]["root_packages"],
        "the layers of tool.importlinter": package
        in re.findall(r"\w+", " ".join(tool["importlinter"]["contracts"][0]["layers"])),
    }
    return [place for place, is_there in lists.items() if not is_there]
