"""Every command that a document shows runs in a test, or stands here with the reason why not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.template.console import commands_of
from tests.template.rendering import ROOT, git

REHEARSED = "what it does is tested; the line is a person's, who fills in a name"
#: A command by how it begins: the test that runs it, or why none does.
COMMANDS = {
    "make setup": "tests/workspace/test_rendered_workspace.py",
    "make format": "tests/workspace/test_rendered_workspace.py",
    "make derive": "tests/workspace/test_rendered_workspace.py",
    "make check": "tests/workspace/test_rendered_workspace.py",
    "make unit": "tests/workspace/test_rendered_workspace.py",
    "make system": "tests/workspace/test_rendered_workspace.py",
    "make test": "tests/workspace/test_rendered_workspace.py",
    "uv run --no-sync pytest": "tests/workspace/test_rendered_workspace.py",
    "make demo": "tests/workspace/test_demo.py",
    "make up": "tests/trips/test_new_service.py",
    "make servers": "tests/workspace/test_readme.py",
    "set -a; source .env; source components": "tests/workspace/test_readme.py",
    "dapr run -f .": "tests/workspace/test_readme.py",
    "curl -i localhost:8001/orders": "tests/workspace/test_readme.py",
    "curl localhost:8001/orders": "tests/workspace/test_readme.py",
    "curl localhost:8002/stock": "tests/workspace/test_readme.py",
    "uv run workspace new-service": "tests/trips/test_new_service.py",
    "curl -i localhost:8005/trips": "tests/trips/test_new_service.py",
    "curl localhost:8005/trips": "tests/trips/test_new_service.py",
    "cookiecutter . --no-input": "tests/template/rendering.py",
    "cd ": "a folder that the line before has made",
    "pip install cookiecutter": "needs an index; the template's `make setup` installs it",
    "cookiecutter <this repository>": "tests/template/test_sources.py",
    "uvx pre-commit install": "tests/template/test_editors.py",
    "make simulate": "SCHEDULES of minutes; `make unit` runs fewer of the same",
    "SCHEDULES=": "SCHEDULES of minutes; `make unit` runs fewer of the same",
    "make dead-letters": REHEARSED,
    "uv run workspace processes": REHEARSED,
    "DAPR_HOST_IP=": "`make up` starts sidecars by the same script in tests/system",
    "make down": "tests/rehearsal/test_rehearsal.py",
    "rm -rf backup": "tests/rehearsal/test_rehearsal.py",
    "for file in data/*.db": "tests/rehearsal/test_rehearsal.py",
    "rm -f data/*.db*": "tests/rehearsal/test_rehearsal.py",
    "pg_": "tests/rehearsal/test_rehearsal.py",
    "at": "tests/rehearsal/test_rehearsal.py",
    'OLD="$REDIS_PASSWORD"': "tests/rehearsal/test_rehearsal.py",
    "since=": "tests/rehearsal/test_rehearsal.py",
    "for topic in $(valkey-cli": "tests/rehearsal/test_rehearsal.py",
    "(. <(uv run workspace tokens": REHEARSED,
    "(source <(uv run workspace tokens": REHEARSED,
    "(. ./.env;": REHEARSED,
    "sed 's/": "reads the logs of a workspace that is up, with jq",
    "valkey-cli": "needs the client of a server",
    "make compose-": "tests/deploy/test_compose.py",
    "make stack-": "tests/deploy/test_swarm.py",
    "TAG=": "tests/deploy/test_swarm.py",
    "docker": "needs a Docker daemon; tests/deploy has one of its own",
    "name() {": "changes passwords of a running Compose",
    'echo "ALTER ROLE': "changes passwords of a running Compose",
    "printf %s": "changes passwords of a running Compose",
    "rm .env": "takes the tokens of a workspace",
    "for volume in": "copies the volumes of a Docker daemon",
    "helm install": "needs a cluster",
    "kubectl": "needs a cluster",
    "for service in $(uv run": "needs a cluster",
    "openssl rand": "needs a cluster",
    "make kube-": "tests/deploy/kubernetes/running/test_local.py",
}


def shown(document: Path) -> Iterator[str]:
    for block in commands_of(document.read_text()):
        yield from (command.line for command in block)


def documents() -> list[Path]:
    return [ROOT / name for name in git(ROOT, "ls-files", "*.md").splitlines()]


def known(line: str) -> str | None:
    """By the longest beginning that fits."""
    return max((each for each in COMMANDS if line.startswith(each)), key=len, default=None)


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_command_runs_in_a_test_or_has_a_reason(document: Path) -> None:
    assert [line for line in shown(document) if known(line) is None] == []


def test_each_reason_is_of_a_command_that_is_shown() -> None:
    used = {known(line) for document in documents() for line in shown(document)}
    assert sorted(COMMANDS.keys() - used) == []


def test_each_test_that_runs_one_is_there() -> None:
    named = {
        where for where in COMMANDS.values() if where.startswith("tests/") and " " not in where
    }
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_each_task_of_make_is_one_that_there_is(workspace: Path) -> None:
    makefiles = ((ROOT / "Makefile").read_text(), (workspace / "Makefile").read_text())
    tasks = {each for text in makefiles for each in re.findall(r"^([a-z-]+):", text, re.MULTILINE)}
    lines = [line for document in documents() for line in shown(document)]
    asked = {
        word
        for line in lines
        if (found := re.match(r"(?:[A-Z]+=\S+ )*make ([a-z][a-z -]*)", line))
        for word in found[1].split()
    }
    assert asked
    assert asked - tasks == set()
