"""From a path, a zip file or cruft, the same answers give the same workspace."""

import re
from pathlib import Path

import pytest

from tests.template.rendering import Tree, commit, cookiecutter, cruft, git, run, tree


def contents(folder: Path) -> dict[str, bytes]:
    """Without permissions: a zip file that was unpacked by Python has lost them."""
    return {name: content for name, (_, content) in tree(folder).items()}


def differences(one: Tree, other: Tree) -> list[str]:
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]


def test_from_a_zip_file(template: Path, workspace: Path, output: Path) -> None:
    archive = output.parent / "template.zip"
    git(template, "archive", "--format=zip", "--prefix=template/", "--output", str(archive), "HEAD")
    rendering = cookiecutter(archive, output)
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    assert contents(output / "order-fulfilment") == contents(workspace)


def test_through_cruft(template: Path, workspace: Path, output: Path) -> None:
    rendering = cruft(template, output)
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    created = tree(output / "order-fulfilment")
    assert created.pop(".cruft.json")
    assert differences(created, tree(workspace)) == []


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_two_renderings_are_the_same_to_the_byte(
    template: Path, workspace: Path, output: Path, seed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", seed)
    rendering = cookiecutter(template, output)
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    assert differences(tree(output / "order-fulfilment"), tree(workspace)) == []


def test_cruft_brings_a_later_version(template: Path, output: Path) -> None:
    repository = output.parent / "template"
    git(template, "clone", "--quiet", str(template), str(repository))
    answer = '{"project_slug": "tea-shop", "description": "Fresh tea"}'
    assert cruft(repository, output, "--extra-context", answer).code == 0
    workspace = commit(output / "tea-shop")
    before = tree(workspace)

    gitignore = repository / "{{cookiecutter.project_slug}}/.gitignore"
    gitignore.write_text(gitignore.read_text() + "later/\n")
    commit(repository)
    updated = run(output, "cruft", "update", "--skip-apply-ask", "--project-dir", str(workspace))

    assert updated.code == 0, updated.stdout + updated.stderr
    changed = differences(tree(workspace), before)
    assert [name for name in changed if not name.startswith(".git/")] == [
        ".cruft.json",
        ".gitignore",
    ]


def test_what_is_committed_is_all_that_a_workspace_holds(template: Path, workspace: Path) -> None:
    prefix = "{{cookiecutter.project_slug}}/"
    committed = git(template, "ls-files", "-z", "--", prefix).split("\0")
    files = {str(path.relative_to(workspace)) for path in workspace.rglob("*") if path.is_file()}
    # A file of a choice has a condition in its name.
    named = {re.sub(r"\{%.*?%\}", "", name.removeprefix(prefix)) for name in committed if name}
    assert files == named
