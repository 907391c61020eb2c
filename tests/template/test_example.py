"""The example goes with one answer or one command, as whole files, and what is left is whole."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.template.rendering import Tree, commit, cookiecutter, tree
from tests.template.test_docs import broken, guides
from tests.template.test_ours import NAMED

#: Edited, besides what is derived.
EDITED = {"dapr.yaml", "pyproject.toml", "contracts/in_flight.toml"}
DERIVED = ("# Derived from dapr.yaml", "# `workspace derive` writes what follows")
NO_TRACE = {"PYTHONDONTWRITEBYTECODE": "1"}
#: Of a workspace, without a sidecar and without those of ours.
TESTS = ("uv", "run", "--no-sync", "pytest", "-q", "services", "tests/static", "tests/simulation")


def rendered(template: Path, output: Path, **answers: str) -> Path:
    rendering = cookiecutter(template, output, project_name="Travel", **answers)
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    return rendering.output / "travel"


@pytest.fixture(scope="module")
def without(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rendered(template, tmp_path_factory.mktemp("without") / "out", example="none")


@pytest.fixture
def whole(template: Path, tmp_path: Path) -> Path:
    return commit(rendered(template, tmp_path / "out"))


def remove(folder: Path, installed: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """With the tools of an installed workspace, and the contracts of this one."""
    return subprocess.run(
        [str(installed / ".venv/bin/workspace"), "remove-example", *options],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(folder / "contracts/src"),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def files(folder: Path) -> Tree:
    """Without version control and without folders, which it does not know."""
    found = tree(folder)
    return {
        name: file
        for name, file in found.items()
        if not name.startswith(".git/") and (folder / name).is_file()
    }


def test_the_answer_and_the_command_leave_the_same_files(
    whole: Path, without: Path, installed: Path
) -> None:
    done = remove(whole, installed)
    assert done.returncode == 0, done.stderr
    assert files(whole) == files(without)


def test_a_second_removal_says_that_there_is_none(without: Path, installed: Path) -> None:
    before = files(without)
    done = remove(without, installed)
    assert (done.returncode, done.stdout[:20]) == (0, "There is no example:")
    assert files(without) == before


def test_what_is_not_committed_is_not_removed_but_by_force(whole: Path, installed: Path) -> None:
    rule = whole / "services/orders/src/orders/mine.py"
    rule.write_text("MINE = 1\n")
    before = files(whole)
    refused = remove(whole, installed)
    assert refused.returncode == 1
    assert "commit them first" in refused.stderr
    assert files(whole) == before
    assert remove(whole, installed, "--force").returncode == 0
    assert not rule.exists()


def test_an_update_of_the_template_does_not_bring_it_back(whole: Path, installed: Path) -> None:
    answers = whole / ".cruft.json"
    answers.write_text('{"context": {"cookiecutter": {"example": "order fulfilment"}}}\n')
    assert remove(whole, installed, "--force").returncode == 0
    assert answers.read_text() == '{"context": {"cookiecutter": {"example": "none"}}}\n'


def test_each_path_of_the_example_is_there(whole: Path) -> None:
    settings = tomllib.loads((whole / "pyproject.toml").read_text())
    paths = settings["tool"]["workspace"]["example"]
    assert [path for path in paths if not (whole / path).exists()] == []


def test_whole_files_go_and_nothing_else_is_edited(whole: Path, without: Path) -> None:
    before, after = files(whole), files(without)
    assert after.keys() <= before.keys()
    edited = {name for name in after if after[name] != before[name]}
    derived = {name for name in edited if any(mark in after[name][1].decode() for mark in DERIVED)}
    assert edited - derived == EDITED


def test_no_file_that_is_left_names_the_example(without: Path) -> None:
    lines = [
        f"{name}:{number}: {line.strip()}"
        for name, (_, content) in files(without).items()
        for number, line in enumerate([name, *content.decode().splitlines()])
        if NAMED.search(line)
    ]
    assert lines == []


def test_every_link_of_the_guides_still_leads_somewhere(without: Path) -> None:
    assert [line for guide in guides(without) for line in broken(guide)] == []


def test_the_proof_is_left_out_as_whole_folders(
    template: Path, tmp_path: Path, whole: Path
) -> None:
    folder = rendered(template, tmp_path / "unproved", proof="no")
    left_out = files(whole).keys() - files(folder).keys()
    assert {"/".join(name.split("/")[:2]) for name in left_out} == {
        "tests/simulation",
        "tests/faults",
    }
    assert all(files(whole)[name] == file for name, file in files(folder).items())


def run(folder: Path, *command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def first(without: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is left of it, installed."""
    folder = shutil.copytree(without, tmp_path_factory.mktemp("first") / "travel")
    run(folder, "make", "setup")
    return folder


def test_what_is_left_passes_its_checks(first: Path) -> None:
    run(first, "make", "check")


def test_what_is_left_has_tests_that_pass_without_a_service(first: Path) -> None:
    said = run(
        first,
        "uv",
        "run",
        "--no-sync",
        "pytest",
        "-q",
        "services",
        "tests/static",
        "tests/simulation",
    )
    assert " passed" in said
