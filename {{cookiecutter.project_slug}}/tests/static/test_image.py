"""An image holds chassis, contracts and one service, by what deploy/Dockerfile copies."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath as Path

import pytest

from workspace.daprfile import ROOT

SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
CONTEXT = ("contracts", "deploy", "libs", "services", "tests", "tools")
OURS = ("contracts/src/contracts/", "libs/chassis/src/chassis/")
#: It asks whether the service lives, for the health check of the image.
PROBE = "deploy/probe.py"
TESTS = re.compile(r"(^|/)(tests?|test_[^/]*|[^/]*_test|testing|conftest)(\.py|/|$)")
OF_TESTS = re.compile(r"^\s*(from|import) (pytest|testkit|tests|workspace)\b", re.MULTILINE)

#: Where it lies in a stage, and its path in the workspace.
Files = dict[Path, str]


def pattern(line: str) -> re.Pattern[str]:
    """A line of .dockerignore: it matches a file, and all that is below a folder."""
    parts = re.escape(line.strip("/")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
    return re.compile(f"{parts}(/.*)?")


def let_in(file: str) -> bool:
    """By .dockerignore: the last line that matches counts."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]
    is_let_in = True
    for line in lines:
        if not line.startswith("#") and pattern(line.removeprefix("!")).fullmatch(file):
            is_let_in = line.startswith("!")
    return is_let_in


def context() -> list[str]:
    found = [*ROOT.glob("*"), *(file for top in CONTEXT for file in ROOT.glob(f"{top}/**/*"))]
    names = (file.relative_to(ROOT).as_posix() for file in found if file.is_file())
    return sorted(name for name in names if let_in(name))


def copied(files: Mapping[Path, str], source: str, target: str) -> Iterator[tuple[Path, str]]:
    """As COPY does: a file into a folder or under a name, of a folder what is in it."""
    for path, origin in files.items():
        if path == Path(source):
            yield (Path(target, path.name) if target.endswith("/") else Path(target)), origin
        elif path.is_relative_to(source):
            yield Path(target, path.relative_to(source)), origin


def image(service: str) -> Files:
    """What the last stage has of the workspace."""
    outside = {Path(name): name for name in context()}
    stages: dict[str, Files] = {}
    files: Files = {}
    dockerfile = (ROOT / "deploy/Dockerfile").read_text().replace("\\\n", " ")
    for line in dockerfile.replace("${SERVICE}", service).splitlines():
        instruction, *words = line.split() or [""]
        if instruction == "FROM":
            files = dict(stages.get(words[0], {}))
            if "AS" in words:
                stages[words[-1]] = files
        elif instruction in ("COPY", "ADD"):
            flags = [word for word in words if word.startswith("--")]
            assert all(flag.startswith("--from=") for flag in flags), f"not understood: {line}"
            (*sources, target) = words[len(flags) :]
            origin = stages[flags[0].removeprefix("--from=")] if flags else outside
            for source in sources:
                files.update(copied(origin, source, target))
    return files


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_chassis_contracts_and_one_service(service: str) -> None:
    allowed = (*OURS, f"services/{service}/src/", PROBE)
    held = image(service).values()
    assert [file for file in held if not file.startswith(allowed)] == []
    # Each of them is there: else the Dockerfile is not understood.
    assert [part for part in allowed if not any(file.startswith(part) for file in held)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_no_test_and_nothing_that_only_tests_read(service: str) -> None:
    held = list(image(service).values())
    assert [file for file in held if TESTS.search(file)] == []
    code = [file for file in held if file.endswith(".py")]
    assert [file for file in code if OF_TESTS.search((ROOT / file).read_text())] == []
    # What chassis and contracts need is code.
    data = [file for file in held if file.startswith(OURS) and file not in code]
    assert [file for file in data if not file.endswith("/py.typed")] == []
