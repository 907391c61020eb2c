"""A workspace records the release of the template that it follows, and the changelog has it."""

import re
import tomllib
from pathlib import Path
from typing import Any

from tests.template.rendering import ROOT


def pyproject(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def test_a_workspace_records_the_version_of_the_template(workspace: Path) -> None:
    recorded = pyproject(workspace)["tool"]["template"]["version"]
    assert recorded == pyproject(ROOT)["project"]["version"]


def test_the_version_of_the_template_is_the_newest_one_of_its_changelog() -> None:
    released = re.findall(r"^## \[(\d[^]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == pyproject(ROOT)["project"]["version"]


def test_a_workspace_has_a_changelog_of_its_own(workspace: Path) -> None:
    changelog = (workspace / "CHANGELOG.md").read_text()
    assert "Order Fulfilment" in changelog
    assert "## [Unreleased]" in changelog
