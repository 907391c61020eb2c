"""Each place that an answer reaches holds it as it was given, whatever it is."""

import json
import random
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.template.rendering import cookiecutter

#: What means something in a shell, in Docker, Make, TOML, YAML, Markdown and printf.
SIGNS = "$`'!#%&*()[]<>|;:,?@^~=+-_. {}äé☕"
WORDS = [
    "$HOME",
    "${PATH}",
    "$$",
    "$(id)",
    "`id`",
    "%s",
    "---",
    "<!--",
    "- x",
    "# x",
    "yes",
    "0x1f",
]
SEEDS = range(5)


def hostile(seed: int) -> str:
    """Of signs and words, without the brace that begins an expression of Jinja."""
    choose = random.Random(seed)
    parts = [
        choose.choice(WORDS) if choose.random() < 0.3 else choose.choice(SIGNS) for _ in "x" * 20
    ]
    return re.sub(r"[{][{%#]+", "{", "".join(parts)).strip() or "x"


def labels(dockerfile: Path) -> dict[str, str]:
    """As Docker reads them: a dollar sign without a backslash names a variable."""
    text = dockerfile.read_text().partition("\nLABEL ")[2].replace("\\\n", " ").partition("\n")[0]
    assert not re.search(r"(?<!\\)\$(?!\{(SERVICE|VERSION|REVISION)\}( |$))", text)
    pairs = (pair.partition("=") for pair in shlex.split(text))
    return {name.rpartition(".")[2]: value.replace("\\$", "$") for name, _, value in pairs}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_answer_is_the_same_in_each_file_that_it_reaches(
    template: Path, output: Path, seed: int
) -> None:
    name, description, author = (hostile(3 * seed + number) for number in range(3))
    rendering = cookiecutter(
        template,
        output,
        project_name=name,
        project_slug="shop",
        description=description,
        author=author,
    )
    assert rendering.code == 0, rendering.stderr
    workspace = output / "shop"
    project = tomllib.loads((workspace / "pyproject.toml").read_text())["project"]
    assert (project["description"], project["authors"]) == (description, [{"name": author}])
    assert f"{name}\n\n{description}\n" in (workspace / "README.md").read_text()
    assert author in (workspace / "LICENSE").read_text()
    service = labels(workspace / "deploy" / "Dockerfile")
    assert (service["description"], service["vendor"]) == (description, author)
    assert labels(workspace / "deploy" / "dapr" / "Dockerfile")["vendor"] == author
    for path in (*workspace.rglob("*.yaml"), *workspace.rglob("Kustomization")):
        list(yaml.safe_load_all(path.read_text()))
    for path in workspace.rglob("*.json"):
        json.loads(path.read_text())
