"""What `make check` cannot say of the imports: that it sees all of them, and what a domain uses."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from workspace.daprfile import ROOT

CONFIGURED = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
SERVICES = {path.parent.name for path in ROOT.glob("services/*/src/*/__init__.py")}
OURS = {path.parent.name for path in ROOT.glob("libs/*/src/*/__init__.py")} | {"workspace"}
PACKAGES = {*SERVICES, *OURS, "contracts"}
DOMAINS = sorted(ROOT.glob("services/*/src/*/domain.py"))


def imports_of(file: Path) -> set[str]:
    """The packages that a file imports; a relative import counts as the folder that it is in."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(file.parent.name if node.level else (node.module or "").partition(".")[0])
    return found


def test_import_linter_and_mypy_see_every_package() -> None:
    linter = CONFIGURED["importlinter"]
    layers = set(re.findall(r"\w+", " ".join(linter["contracts"][0]["layers"])))
    assert set(linter["root_packages"]) == layers == PACKAGES
    assert set(CONFIGURED["mypy"]["packages"]) >= PACKAGES


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda path: path.parent.name)
def test_a_domain_imports_only_contracts_and_the_standard_library(domain: Path) -> None:
    assert imports_of(domain) - sys.stdlib_module_names <= {"contracts"}


def test_the_tests_of_ours_import_nothing_of_the_process() -> None:
    files = [*ROOT.glob("libs/*/tests/**/*.py"), *ROOT.glob("tools/tests/**/*.py")]
    assert files
    process = {*SERVICES, "contracts", "tests"}
    assert [file for file in files if imports_of(file) & process] == []
