"""Jinja stays where an editor or a bot can still read the file, and none of it is left over."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.template.rendering import git

JINJA = re.compile(r"\{\{|\{%|\{#")
# A choice that takes a whole file is a condition in the file's name.
CONDITION = r"\{%.*?%\}"
# In Makefiles and shell, `${#name}` is no Jinja of ours but would be read as some: none is there.
HOLDS_JINJA = {".yaml", ".yml", ".toml", ".md", "Dockerfile", "LICENSE"}


def files(template: Path, *suffixes: str) -> list[Path]:
    """What gets rendered, without the hooks, which are no part of any output."""
    listed = git(template, "ls-files", "-z").split("\0")
    rendered = [template / name for name in listed if name.startswith("{{cookiecutter.")]
    return [path for path in rendered if not suffixes or path.suffix in suffixes]


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_python_file_holds_jinja(template: Path) -> None:
    python = [*files(template, ".py"), *template.glob("hooks/*.py")]
    assert python
    assert [str(path) for path in python if JINJA.search(path.read_text())] == []


def test_jinja_is_only_where_it_is_expected(template: Path) -> None:
    holders = {path for path in files(template) if JINJA.search(text_of(path))}
    names = {Path(re.sub(CONDITION, "", path.name)) for path in holders}
    assert {name.suffix or name.name for name in names} <= HOLDS_JINJA
    assert [str(path) for path in holders if re.search(r"\{%|\{#", text_of(path))] == []


def test_jinja_in_yaml_and_toml_is_inside_double_quotes(template: Path) -> None:
    for path in files(template, ".yaml", ".yml", ".toml"):
        for line in path.read_text().splitlines():
            assert "{{" not in re.sub(r'"[^"]*"', "", line), f"{path}: {line}"


def test_yaml_and_toml_can_be_read_unrendered(template: Path) -> None:
    for path in files(template, ".yaml", ".yml"):
        assert list(yaml.safe_load_all(path.read_text())), path
    for path in files(template, ".toml"):
        assert tomllib.loads(path.read_text()), path


def test_no_jinja_is_left_in_the_workspace(workspace: Path) -> None:
    left = re.compile(r"\{[{%#][^\n]*cookiecutter")
    texts = {path: text_of(path) for path in workspace.rglob("*") if path.is_file()}
    assert [str(path) for path, text in texts.items() if left.search(text)] == []
    assert [str(path) for path in workspace.rglob("*") if "cookiecutter" in path.name] == []


@pytest.mark.parametrize("suffix", [".yaml", ".toml"])
def test_yaml_and_toml_can_be_read_in_the_workspace(workspace: Path, suffix: str) -> None:
    found = list(workspace.rglob(f"*{suffix}"))
    assert found
    for path in found:
        text = path.read_text()
        assert tomllib.loads(text) if suffix == ".toml" else list(yaml.safe_load_all(text)), path
