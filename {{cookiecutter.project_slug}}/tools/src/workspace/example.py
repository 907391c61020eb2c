"""Take the example out of a workspace: whole files, and its names where all services are named.

The template's hook runs this file by itself, in a workspace where nothing is installed yet: so it
imports the standard library only, and writes what `workspace derive` writes for no service.
"""

from __future__ import annotations  # the hook may find an older Python

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

#: In pyproject.toml: the paths of the example.
LIST = re.compile(r"\n\[tool\.workspace\]\n(?:#.*\n)*example = \[\n(?P<paths>(?:.*\n)*?)\]\n")
#: Where its names stand among others.
EDITED = (
    *("dapr.yaml", "pyproject.toml", "catalog-info.yaml", "contracts/in_flight.toml"),
    *("deploy", "components"),
)
#: What stands below it is derived.
MARKER = re.compile(r"^ *# `workspace derive` writes what follows.*\n", re.MULTILINE)
TOPICS = "".join(
    f"    - name: {name}\n      value: >-\n"
    for name in ("protectedTopics", "subscriptionScopes", "publishingScopes")
)
POLICIES = """\
    policies:
      - appId: nobody
        defaultAction: deny
        trustDomain: public
        namespace: default
"""


def paths(root: Path) -> list[str]:
    """What the example consists of; nothing once it is removed."""
    found = LIST.search((root / "pyproject.toml").read_text())
    return re.findall(r'"([^"]+)"', found["paths"]) if found else []


def not_committed(root: Path) -> str | None:
    """Why version control could not bring the example back; None if it can."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "status", "--porcelain", "--", *paths(root), *EDITED],
            capture_output=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"git does not answer ({error})"
    if done.returncode:
        return "the workspace is in no git repository"
    changed = len(done.stdout.splitlines())
    return f"{changed} files that this changes have changes of yours" if changed else None


def remove(root: Path) -> list[str]:
    """What was deleted. What is derived still names the example, until `derive` or `empty`."""
    example = [path for path in paths(root) if (root / path).exists()]
    services = [path.partition("/")[2] for path in example if re.fullmatch("services/[^/]+", path)]
    contracts = [root / path for path in example if path.startswith("contracts/")]
    topics = {topic for file in contracts for topic in _topics(file.read_text())}
    edited = {
        "dapr.yaml": lambda text: without_apps(text, services),
        "pyproject.toml": lambda text: without_packages(text, services),
        "contracts/in_flight.toml": lambda text: without_topics(text, topics),
        # What `cruft update` renders the template with.
        ".cruft.json": lambda text: re.sub(r'("example": )"[^"]*"', r'\1"none"', text),
    }
    for path in example:
        target = root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        _remove_if_empty(target.parent)
    for name, without in edited.items():
        if (root / name).exists():
            _edit(root / name, without)
    return example


def without_apps(text: str, names: Iterable[str]) -> str:
    """dapr.yaml without these apps; comments between others stay."""
    for name in names:
        app = rf"^  - appID: {re.escape(name)}\n(?:    .*\n)*"
        text = re.sub(app, "", text, flags=re.MULTILINE)
    if "\n  - appID:" not in text:
        # `new-service` makes a list of one of it.
        text = re.sub(r"^apps:$", "apps: []", text, flags=re.MULTILINE)
    return text


def without_packages(text: str, names: Iterable[str]) -> str:
    """pyproject.toml without these services, and without the list of the example."""
    text = LIST.sub("\n", text)
    for name in names:
        package = name.replace("-", "_")
        text = re.sub(rf"^{re.escape(name)} = .*\n", "", text, flags=re.MULTILINE)
        text = re.sub(rf"\b{package} \| ", "", text)
        for item in {name, package, f"services.{name}.tests"}:
            text = text.replace(f'"{item}", ', "").replace(f'"{item}",\n', "\n")
            text = re.sub(rf'(,\s*)?"{re.escape(item)}"(?=\s*\])', "", text)
    # What a line of such names leaves.
    return re.sub(r" +$", "", re.sub(r"^ +\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)


def without_topics(text: str, topics: set[str]) -> str:
    """in_flight.toml without these topics."""
    lines = (line for line in text.splitlines() if line.partition("=")[0].strip() not in topics)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines) + "\n")


def empty(root: Path) -> None:
    """Write what follows from no service, as `derive` does."""
    for file in sorted((root / "components").rglob("*.yaml")):
        _edit(file, _of_no_service)
    _edit(root / "catalog-info.yaml", _theirs)
    deploy = root / "deploy"
    for each in ("compose/services", "kubernetes/base/services"):
        for path in sorted((deploy / each).glob("*")):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "kustomization.yaml":
                path.unlink()
        _remove_if_empty(deploy / each)
    listed = (
        deploy / "compose/services.yaml",
        deploy / "kubernetes/base/services/kustomization.yaml",
    )
    for file in listed:
        _edit(file, lambda text: re.sub(r"^  - (?!name:).*\n", "", text, flags=re.MULTILINE))
    for file in sorted(deploy.glob("kubernetes/keda/*/scaling.yaml")):
        _edit(file, lambda text: text.partition("\n")[0] + "\n")


def _theirs(text: str) -> str:
    """What stands above the marker, and the marker."""
    marker = MARKER.search(text)
    return text[: marker.end()] if marker else text


def _of_no_service(text: str) -> str:
    above = _theirs(text)
    below = text[len(above) :]
    if not below:
        return text
    if "policies:" in below:
        return above + POLICIES
    return above + (TOPICS if "protectedTopics" in below else "") + "scopes: []\n"


def _topics(module: str) -> Iterator[str]:
    """Of the messages of a module, by the names of their classes or as these state them."""
    yield from re.findall(r'^    topic = "([^"]+)"', module, re.MULTILINE)
    for name in re.findall(r"^class (\w+)", module, re.MULTILINE):
        yield re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _edit(file: Path, change: Callable[[str], str]) -> None:
    file.write_text(change(file.read_text()))


def _remove_if_empty(folder: Path) -> None:
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


if __name__ == "__main__":
    remove(Path.cwd())
    empty(Path.cwd())
