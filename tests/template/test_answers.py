"""Each answer is seen in the workspace, and the questions fit what the workspace holds."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.licenses import canonicalize_license_expression

from tests.template.rendering import ROOT, WORKSPACE, cookiecutter

QUESTIONS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text())
ASKED = [name for name in QUESTIONS if not name.startswith("_")]
LABELS = QUESTIONS["__prompts__"]


def project(workspace: Path) -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((workspace / "pyproject.toml").read_text())["project"]
    return read


def dapr(workspace: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((workspace / "dapr.yaml").read_text())
    return read


def style_of(workspace: Path) -> str:
    (orders,) = (app for app in dapr(workspace)["apps"] if app["appID"] == "orders")
    return str(orders["env"]["DEFAULT_STYLE"])


def rendered(template: Path, output: Path, **answers: str) -> Path:
    rendering = cookiecutter(template, output, **answers)
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    (workspace,) = output.iterdir()
    return workspace


def test_there_are_at_most_ten_questions() -> None:
    assert len(ASKED) <= 10


@pytest.mark.parametrize("name", ASKED)
def test_each_question_and_each_choice_has_a_label_in_plain_words(name: str) -> None:
    if isinstance(QUESTIONS[name], list):
        assert set(LABELS[name]) == {"__prompt__", *QUESTIONS[name]}
    else:
        assert LABELS[name]


def test_the_name_of_the_project_is_in_its_readme(template: Path, output: Path) -> None:
    workspace = rendered(template, output, project_name="Tea Shop No. 5")
    assert "Tea Shop No. 5" in (workspace / "README.md").read_text()


def test_the_slug_follows_from_the_name(template: Path, output: Path) -> None:
    assert rendered(template, output, project_name="Tea Shop No. 5").name == "tea-shop-no-5"


def test_the_slug_that_follows_from_a_long_name_is_cut(template: Path, output: Path) -> None:
    assert len(rendered(template, output, project_name="Tea " * 40).name) <= 50


def test_the_slug_names_the_folder_and_the_project(template: Path, output: Path) -> None:
    workspace = rendered(template, output, project_slug="tea-shop")
    assert workspace.name == "tea-shop"
    assert project(workspace)["name"] == "tea-shop"


def test_description_and_author_reach_the_project(template: Path, output: Path) -> None:
    workspace = rendered(
        template, output, description="Tea & more: 100 % <fresh> #1 ☕ 😀", author="Zoë D'Arc, Åsa"
    )
    assert project(workspace)["description"] == "Tea & more: 100 % <fresh> #1 ☕ 😀"
    assert project(workspace)["authors"] == [{"name": "Zoë D'Arc, Åsa"}]


@pytest.mark.parametrize("license", QUESTIONS["license"])
def test_each_license_is_a_valid_spdx_expression_in_the_project(
    template: Path, output: Path, license: str
) -> None:
    assert canonicalize_license_expression(license) == license
    assert project(rendered(template, output, license=license))["license"] == license


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_python_version_is_the_oldest_that_the_project_takes(
    template: Path, output: Path, version: str
) -> None:
    workspace = rendered(template, output, python_version=version)
    assert project(workspace)["requires-python"] == f">={version}"


@pytest.mark.parametrize("broker", QUESTIONS["broker"])
def test_the_broker_is_the_profile_that_the_sidecars_load(
    template: Path, output: Path, broker: str
) -> None:
    paths = dapr(rendered(template, output, broker=broker))["common"]["resourcesPaths"]
    assert [path for path in paths if "pubsub" in path] == [f"components/pubsub/{broker}"]


@pytest.mark.parametrize("style", QUESTIONS["default_style"])
def test_the_style_is_the_default_of_the_orders_service(
    template: Path, output: Path, style: str
) -> None:
    assert style_of(rendered(template, output, default_style=style)) == style


def test_the_styles_asked_for_are_those_in_which_a_saga_runs() -> None:
    module = (WORKSPACE / "libs/chassis/src/chassis/saga/styles.py").read_text()
    (styles,) = re.findall(r"^class Style\(StrEnum\):\n((?:    .+\n)+)", module, re.MULTILINE)
    assert re.findall(r'^    [A-Z]+ = "(.+)"$', styles, re.MULTILINE) == QUESTIONS["default_style"]


def test_answers_can_be_typed_at_the_prompts(template: Path, output: Path) -> None:
    typed = "Tea Shop\n\n\n\n2\n3.12\n1\n3\n1\n1\n"
    rendering = cookiecutter(template, output, typed=typed)
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    workspace = output / "tea-shop"
    assert project(workspace)["license"] == "Apache-2.0"
    assert project(workspace)["requires-python"] == ">=3.12"
    assert style_of(workspace) == "hybrid"
    for label in (LABELS[name] for name in ASKED):
        assert (label if isinstance(label, str) else label["__prompt__"]) in rendering.stdout
