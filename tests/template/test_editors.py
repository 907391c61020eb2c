"""What editors, agents and a forge read: it fits what it names, and its commands run."""

import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime import pins
from tests.template.rendering import ROOT, WORKSPACE, commit, git
from tests.template.test_jinja import text_of

BIN = Path(sys.executable).parent
WORKFLOWS = (ROOT / ".github/workflows/check.yaml", WORKSPACE / ".github/workflows/check.yaml")
DAPR = ".devcontainer/dapr.sh"


def environment(**more: str) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return {**found, "PYTHONDONTWRITEBYTECODE": "1", **more}


def sh(line: str, folder: Path, **more: str) -> str:
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{line}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def sections(folder: Path) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    for line in (folder / ".editorconfig").read_text().splitlines():
        if line.startswith("["):
            found.append((line.strip("[]"), {}))
        elif "=" in line and found:
            name, _, value = line.partition("=")
            found[-1][1][name.strip()] = value.strip()
    return found


def settings(name: str, folder: Path) -> dict[str, str]:
    """What an editor does to a file of this name: a later section wins."""
    merged: dict[str, str] = {}
    for pattern, given in sections(folder):
        if any(fnmatch(name, each) for each in pattern.strip("{}").split(",")):
            merged |= given
    return merged


def wrong(path: Path, folder: Path) -> list[str]:
    text, asked = text_of(path), settings(path.name, folder)
    lines = text.splitlines()
    found = {
        "end_of_line": "\r" in text,
        "insert_final_newline": text != "" and not text.endswith("\n"),
        "trim_trailing_whitespace": asked["trim_trailing_whitespace"] == "true"
        and any(line != line.rstrip() for line in lines),
        "indent_style": asked["indent_style"] == "space"
        and any(line.startswith("\t") for line in lines),
    }
    return [f"{path.relative_to(folder)}: {rule}" for rule, broken in found.items() if broken]


def test_every_file_of_the_template_is_as_its_editorconfig_says() -> None:
    names = git(ROOT, "ls-files", "-z").split("\0")
    paths = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    assert [line for path in paths for line in wrong(path, ROOT)] == []


def test_every_file_of_a_workspace_is_as_its_editorconfig_says(workspace: Path) -> None:
    paths = [path for path in workspace.rglob("*") if path.is_file()]
    assert [line for path in paths for line in wrong(path, workspace)] == []


@pytest.fixture
def cloned(installed: Path, tmp_path: Path) -> Path:
    """What a user has committed, with the tools of the installed workspace."""
    folder = tmp_path / "order-fulfilment"
    ignored = shutil.ignore_patterns(".venv", ".env", "data", "*_cache", ".hypothesis")
    commit(shutil.copytree(installed, folder, ignore=ignored))
    (folder / ".venv").symlink_to(installed / ".venv")
    return folder


def test_pre_commit_runs_on_the_tools_of_the_workspace(cloned: Path, tmp_path: Path) -> None:
    pre_commit = BIN / "pre-commit"
    sh(f"{pre_commit} validate-config", cloned)
    # No proxy and no index: nothing is fetched.
    said = sh(f"{pre_commit} run --all-files", cloned, PRE_COMMIT_HOME=str(tmp_path / "kept"))
    assert said.count("Passed") == 2, said


def test_a_commit_of_code_that_does_not_pass_is_refused(cloned: Path, tmp_path: Path) -> None:
    (cloned / "services/orders/src/orders/mine.py").write_text("import os\n")
    git(cloned, "add", "--all")
    with pytest.raises(AssertionError, match=r"mine\.py:1:8|F401"):
        sh(f"{BIN / 'pre-commit'} run", cloned, PRE_COMMIT_HOME=str(tmp_path / "kept"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=["template", "workspace"])
def test_a_workflow_has_no_finding_of_zizmor(workflow: Path) -> None:
    sh(f"{BIN / 'zizmor'} --offline --no-progress '{workflow}'", ROOT)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=["template", "workspace"])
def test_a_workflow_runs_tasks_that_there_are(workflow: Path) -> None:
    (job,) = yaml.safe_load(workflow.read_text())["jobs"].values()
    folder = workflow.parents[2]
    tasks = set(re.findall(r"^([a-z-]+):", (folder / "Makefile").read_text(), re.MULTILINE))
    commands = [step["run"].split() for step in job["steps"] if "run" in step]
    asked = {word for line in commands if line[0] == "make" for word in line[1:] if "=" not in word}
    assert asked >= {"check"}
    assert asked <= tasks
    scripts = [line[1] for line in commands if line[0] == "bash"]
    assert [script for script in scripts if not (folder / script).exists()] == []


def dev_container() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((WORKSPACE / ".devcontainer/devcontainer.json").read_text())
    return read


def test_the_dev_container_installs_what_the_workflow_installs() -> None:
    (job,) = yaml.safe_load(WORKFLOWS[1].read_text())["jobs"].values()
    installs = [step["run"] for step in job["steps"] if "run" in step][:2]
    assert dev_container()["postCreateCommand"].split(" && ") == [*installs, "make setup"]


def test_dapr_is_the_one_of_the_template() -> None:
    script = (WORKSPACE / DAPR).read_text()
    assert f"\ncli={pins.CLI_VERSION}\nruntime={pins.RUNTIME_VERSION}\n" in script


def test_what_an_editor_launches_is_there(installed: Path) -> None:
    launched = json.loads((WORKSPACE / ".vscode/launch.json").read_text())
    known = {each["id"] for each in launched["inputs"]}
    for each in launched["configurations"]:
        asked = set(re.findall(r"\$\{input:(\w+)\}", json.dumps(each)))
        assert asked <= known
        if "program" in each:
            program = each["program"].replace("${workspaceFolder}", str(installed))
            sh(f"{program} {each['args'][0]} --help", installed)
        else:
            sh(f".venv/bin/python -c 'import {each['module']}'", installed)


def test_the_tasks_of_an_editor_are_those_of_make() -> None:
    makefile = (WORKSPACE / "Makefile").read_text()
    tasks = json.loads((WORKSPACE / ".vscode/tasks.json").read_text())["tasks"]
    for task in tasks:
        assert task["command"] == f"make {task['label']}"
        assert re.search(rf"^{task['label']}:", makefile, re.MULTILINE)


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Programs that stand in for `curl`, whose server has one archive, and for `uname`."""
    folder = tmp_path / "releases"
    folder.mkdir()
    dapr = folder / "dapr"
    dapr.write_text('#!/bin/sh\necho "$@" >"$HOME/ran"\n')
    dapr.chmod(0o755)
    subprocess.run(["tar", "-czf", "dapr_linux_arm64.tar.gz", "dapr"], cwd=folder, check=True)
    archive = folder / "dapr_linux_arm64.tar.gz"
    digest = sha256(archive.read_bytes()).hexdigest()
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  ./release/{archive.name}\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in {
        "curl": 'while [ "$1" != --output ]; do shift; done; '
        f'echo "$3" >>"{tmp_path}/asked"; cp "{folder}/${{3##*/}}" "$2"',
        "uname": "echo aarch64",
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    return folder


def test_dapr_is_downloaded_checked_and_initialised(releases: Path, tmp_path: Path) -> None:
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    sh(f"bash '{WORKSPACE / DAPR}'", tmp_path, PATH=path, HOME=str(tmp_path))
    archive = f"releases/download/v{pins.CLI_VERSION}/dapr_linux_arm64.tar.gz"
    assert (tmp_path / "asked").read_text().splitlines() == [
        f"https://github.com/dapr/cli/{archive}",
        f"https://github.com/dapr/cli/{archive}.sha256",
    ]
    asked = f"init --slim --runtime-version {pins.RUNTIME_VERSION}\n"
    assert (tmp_path / "ran").read_text() == asked


def test_an_archive_that_is_not_the_published_one_is_not_run(
    releases: Path, tmp_path: Path
) -> None:
    with (releases / "dapr_linux_arm64.tar.gz").open("ab") as archive:
        archive.write(b"more")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with pytest.raises(AssertionError, match="dapr_linux_arm64"):
        sh(f"bash '{WORKSPACE / DAPR}'", tmp_path, PATH=path, HOME=str(tmp_path))
    assert not (tmp_path / "ran").exists()
