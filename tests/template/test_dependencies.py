"""Dependencies point one way: services to the chassis and the contracts, and no other way."""

import ast
import sys
from pathlib import Path

import pytest

from tests.template.rendering import SERVICE, WORKSPACE

SERVICES = sorted(path.name for path in (WORKSPACE / "services").iterdir() if path.is_dir())
DOMAINS = [
    *sorted((WORKSPACE / "services").glob("*/src/*/domain.py")),
    *sorted(SERVICE.glob("*/src/*/domain.py")),
]


def imports_of(path: Path) -> set[str]:
    """The packages that a file imports; a relative import counts as the folder that it is in."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(path.parent.name if node.level else (node.module or "").partition(".")[0])
    return found


def imports_in(folder: Path) -> set[str]:
    files = list(folder.rglob("*.py"))
    assert files, f"{folder} holds no Python"
    return set().union(*map(imports_of, files))


def test_every_service_has_a_domain_or_a_saga() -> None:
    sagas = {path.parent.name for path in (WORKSPACE / "services").glob("*/src/*/saga.py")}
    domains = {path.parent.name for path in DOMAINS}
    assert domains | sagas == {*SERVICES, "{{cookiecutter.__package}}"}


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda path: path.parent.name)
def test_a_domain_imports_only_contracts_and_the_standard_library(domain: Path) -> None:
    assert imports_of(domain) - sys.stdlib_module_names <= {"contracts"}


def test_the_chassis_imports_neither_services_nor_contracts() -> None:
    assert imports_in(WORKSPACE / "libs").isdisjoint({"contracts", "workspace", *SERVICES})


def test_the_contracts_import_neither_the_chassis_nor_services() -> None:
    assert imports_in(WORKSPACE / "contracts").isdisjoint({"chassis", *SERVICES})


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_no_other_service(service: str) -> None:
    others = set(SERVICES) - {service}
    assert imports_in(WORKSPACE / "services" / service).isdisjoint(others)
