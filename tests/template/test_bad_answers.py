"""A bad answer ends with one line that says what, why and what to do, and leaves nothing behind."""

import json
import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from tests.template.rendering import ROOT, cookiecutter, cruft, snapshot

HOOK = ROOT / "hooks/pre_gen_project.sh"
#: Return at each question that is left.
DEFAULTS = "\n" * 20
WORKSPACE_NAMES = [
    "chassis",
    "contracts",
    "orders",
    "inventory",
    "payments",
    "shipping",
    "tests",
    "dev",
]
BREAKS_QUOTING = [
    'a "quote"',
    "a \\ backslash",
    "a\nbreak",
    "a\rreturn",
    "a\ttab",
    "a bell \x07",
    "a delete \x7f",
    "a next line \x85",
    "a line separator \u2028",
    "a byte order mark \ufeff",
    "half a surrogate \udc80",
    'x" && touch HACKED && "',
    "x\nANSWERS\ntouch HACKED\n",
    'x"; import os; os.mkdir("HACKED")',
]
HARMLESS = [
    "$(touch HACKED)",
    "`touch HACKED`",
    "'; touch HACKED; '",
    "$HOME",
    "-n",
    "%s %d",
    "a*b?",
]


def reserved(hook: Path, kind: str) -> set[str]:
    (names,) = re.findall(rf"^{kind}_names='\n(.*?)'$", hook.read_text(), re.MULTILINE | re.DOTALL)
    return set(names.split())


def requirements(pyproject: Path) -> list[str]:
    read = tomllib.loads(pyproject.read_text())
    groups: dict[str, list[str]] = read.get("dependency-groups", {})
    return [*read["project"].get("dependencies", []), *chain.from_iterable(groups.values())]


def must_be_refused(template: Path, output: Path, answer: str, **answers: str) -> None:
    rendering = cookiecutter(template, output, **answers)
    assert rendering.code == 1
    (line,) = rendering.stderr.splitlines()
    assert line.startswith(answer)
    assert ": " in line
    assert rendering.left_behind == []
    assert not [path for path in output.parent.rglob("*") if path.name == "HACKED"]


@pytest.mark.parametrize(
    "slug",
    [
        "Tea-Shop",
        "tea shop",
        "tea_shop",
        "5-teas",
        "-tea",
        "tea-",
        "tea--shop",
        "té",
        "a" * 51,
        "",
        ".",
        "..",
        "tea/shop",
        "../tea",
        "/tmp/tea",
        "tea\nshop",
        "$(touch HACKED)",
    ],
)
def test_a_bad_slug_is_refused(template: Path, output: Path, slug: str) -> None:
    must_be_refused(template, output, "project_slug", project_slug=slug)
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize("slug", ["json", "email", "py-compile", "class", "asyncio"])
def test_a_slug_that_python_uses_itself_is_refused(template: Path, output: Path, slug: str) -> None:
    must_be_refused(template, output, "project_slug", project_slug=slug)


@pytest.mark.parametrize(
    "slug",
    [
        "default",
        "kube-system",
        "kube-public",
        "kube-node-lease",
        "dapr-system",
        "istio-system",
        "openshift-ingress",
        "monitoring",
        "cert-manager",
    ],
)
def test_a_slug_that_is_a_namespace_of_the_cluster_is_refused(
    template: Path, output: Path, slug: str
) -> None:
    must_be_refused(template, output, f"project_slug {slug!r}".replace("'", '"'), project_slug=slug)


def test_the_cookiecutter_that_is_needed_is_named(tmp_path: Path, output: Path) -> None:
    template = snapshot(tmp_path / "old")
    questions = json.loads((template / "cookiecutter.json").read_text())
    # As cookiecutter 1.7 leaves it: not rendered.
    questions["__typed_slug"] = "{% raw %}" + questions["__typed_slug"] + "{% endraw %}"
    (template / "cookiecutter.json").write_text(json.dumps(questions))
    must_be_refused(template, output, "This cookiecutter is too old")


@pytest.mark.parametrize("slug", WORKSPACE_NAMES)
def test_a_slug_that_is_a_part_of_the_workspace_is_refused(
    template: Path, output: Path, slug: str
) -> None:
    must_be_refused(template, output, "project_slug", project_slug=slug)


@pytest.mark.parametrize("slug", ["dapr", "fastapi", "pydantic-settings"])
def test_a_slug_that_is_a_library_of_the_workspace_is_refused(
    template: Path, output: Path, slug: str
) -> None:
    must_be_refused(template, output, "project_slug", project_slug=slug)


@pytest.mark.parametrize(
    "version",
    ["3.10", "3.9", "2.7", "3", "3.11.4", "3.x", ">=3.11", "py311", "", "03.11", "3.11\n"],
)
def test_an_old_python_or_none_is_refused(template: Path, output: Path, version: str) -> None:
    must_be_refused(template, output, "python_version", python_version=version)


@pytest.mark.parametrize("name", ["", "   "])
def test_an_empty_name_is_refused(template: Path, output: Path, name: str) -> None:
    must_be_refused(template, output, "project_name", project_name=name)


@pytest.mark.parametrize("text", BREAKS_QUOTING)
@pytest.mark.parametrize("answer", ["project_name", "description", "author"])
def test_what_would_break_the_quoting_of_toml_or_yaml_is_refused(
    template: Path, output: Path, answer: str, text: str
) -> None:
    must_be_refused(template, output, answer, **{answer: text})


@pytest.mark.parametrize("sign", ["{{ 1 }}", "{% if x %}", "{# x"])
def test_a_sign_of_jinja_that_was_typed_is_refused(template: Path, output: Path, sign: str) -> None:
    rendering = cookiecutter(template, output, typed=f"\n\n{sign}{DEFAULTS}")
    assert rendering.code == 1
    assert rendering.stderr.startswith("description")
    assert rendering.left_behind == []


@pytest.mark.parametrize("text", HARMLESS)
def test_what_means_something_only_to_a_shell_is_just_text(
    template: Path, output: Path, text: str
) -> None:
    rendering = cookiecutter(template, output, project_slug="tea", description=text, author=text)
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    project = tomllib.loads((output / "tea/pyproject.toml").read_text())["project"]
    assert project["description"] == text
    assert not [path for path in output.parent.rglob("*") if path.name == "HACKED"]


@pytest.mark.parametrize(
    ("answer", "value"), [("broker", "pigeons"), ("license", "WTF"), ("default_style", "chaos")]
)
def test_what_is_not_among_the_choices_is_refused(
    template: Path, output: Path, answer: str, value: str
) -> None:
    rendering = cookiecutter(template, output, **{answer: value})
    assert rendering.code == 1
    assert f"{value} provided for choice variable {answer}" in rendering.stderr
    assert rendering.left_behind == []


def test_a_bad_answer_is_refused_by_cruft_too(template: Path, output: Path) -> None:
    rendering = cruft(template, output, "--extra-context", '{"project_slug": "tea/shop"}')
    assert rendering.code != 0
    assert rendering.stderr.startswith('project_slug "tea/shop"')
    assert rendering.left_behind == []


def test_a_folder_that_was_there_before_is_kept_when_an_answer_is_bad(
    template: Path, output: Path
) -> None:
    mine = output / "tea/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    rendering = cookiecutter(
        template, output, "--overwrite-if-exists", project_slug="tea", python_version="3.9"
    )
    assert rendering.code == 1
    assert rendering.left_behind == ["tea", "tea/mine.txt"]


def test_the_hook_knows_every_module_of_the_standard_library() -> None:
    public = {name for name in sys.stdlib_module_names if re.fullmatch("[a-z][a-z0-9_]*", name)}
    assert public <= reserved(HOOK, "python")


def test_the_hook_knows_every_part_of_the_workspace(workspace: Path) -> None:
    # No slug begins with a dot.
    folders = {path.name for path in workspace.glob("[!.]*") if path.is_dir()}
    services = {path.name for path in (workspace / "services").iterdir() if path.is_dir()}
    assert folders | services | set(WORKSPACE_NAMES) <= reserved(HOOK, "workspace")


def test_the_hook_knows_every_library_that_the_workspace_asks_for(workspace: Path) -> None:
    asked = {
        re.sub("[-_.]+", "_", re.split(r"[^A-Za-z0-9_.-]", requirement)[0].lower())
        for path in workspace.rglob("pyproject.toml")
        for requirement in requirements(path)
    }
    assert asked <= reserved(HOOK, "library") | reserved(HOOK, "workspace")
