"""What the template keeps up to date in every workspace names nothing of the example."""

import ast
import re

import pytest

from tests.template.rendering import WORKSPACE

OURS = ("libs", "tools")
SERVICES = sorted(path.name for path in (WORKSPACE / "services").iterdir() if path.is_dir())
#: They have another meaning, too: only names that hold them are found.
AMBIGUOUS = {"order", "of-order", "of_order"}


def hyphenated(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def words() -> set[str]:
    """Services, messages and values of the example, and what its events are about."""
    found = set(SERVICES)
    for file in (WORKSPACE / "contracts/src/contracts").glob("*.py"):
        if file.stem in ("__init__", "base"):
            continue
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef):
                name = hyphenated(node.name)
                if "-" not in name:
                    continue
                found |= {node.name.lower(), name, name.replace("-", "_")} - AMBIGUOUS
                if "Event" in [base.id for base in node.bases if isinstance(base, ast.Name)]:
                    subject = name.partition("-")[0]
                    found |= {f"{subject}s", f"{subject}_id", subject} - AMBIGUOUS
    return found


NAMED = re.compile(
    rf"(?<![a-z])({'|'.join(sorted(words(), key=len, reverse=True))})(?![a-z])", re.IGNORECASE
)


@pytest.mark.parametrize(
    "named",
    ["OrderPlaced", "order-placed", "order_id", "orders", "Payment", "shipments", "inventory.main"],
)
def test_a_name_of_the_example_is_found(named: str) -> None:
    assert NAMED.search(f"the {named} of it")


def test_an_order_of_things_is_not_of_the_example() -> None:
    assert not NAMED.search("in this order: Order matters, reordered, disorders")


@pytest.mark.parametrize("folder", OURS)
def test_ours_names_nothing_of_the_example(folder: str) -> None:
    files = [file for file in sorted((WORKSPACE / folder).rglob("*")) if file.is_file()]
    lines = [
        f"{file.relative_to(WORKSPACE)}:{number}: {line.strip()}"
        for file in files
        if file.suffix in (".py", ".toml", ".md", ".yaml")
        for number, line in enumerate([file.name, *file.read_text().splitlines()])
        if NAMED.search(line)
    ]
    assert lines == []
