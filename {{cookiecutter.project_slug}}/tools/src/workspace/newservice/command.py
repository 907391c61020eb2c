"""Make one more service, and add it to the files that name all of them."""

import logging
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import contracts
from chassis.saga import Saga
from workspace import members
from workspace.daprfile import ROOT, package_of
from workspace.errors import StackError
from workspace.newservice import enlist, initiator, listener, participant
from workspace.newservice.names import check


def make(name: str, starts: str, steps: str, on: Sequence[str]) -> Path:
    """The folder of the new service. Raises `StackError`, and then nothing is written."""
    # Several services in one process complain about it; nothing here runs them.
    logging.disable()
    check(name)
    files = _files(name, starts, steps, on)
    folder = ROOT / "services" / name
    project = ROOT / "pyproject.toml"
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, folder)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        _tidy(folder)
        undo.callback(project.write_text, project.read_text())
        enlist.project(name)
        enlist.run_file(name, {"DEFAULT_STYLE": "choreography"} if starts else {})
        undo.pop_all()
    return folder


def _files(name: str, starts: str, steps: str, on: Sequence[str]) -> Mapping[str, str]:
    package, messages = package_of(name), list(contracts.messages())
    if starts:
        start = initiator.named(starts, messages)
        return initiator.files(name, package, start, steps, messages)
    if on:
        return listener.files(name, package, [initiator.named(event, messages) for event in on])
    sagas = [saga for saga in _declared() if any(step.at == name for step in saga.steps)]
    if not sagas:
        raise StackError(
            f'no saga has a step at "{name}". Declare it in the service that begins the process, '
            "or name what the new service begins (--starts) or listens to (--on)."
        )
    field = initiator.subject_of(sagas[0].started_by, messages)
    return participant.files(name, package, sagas, field)


def _declared() -> list[Saga]:
    runners = (runner for service in members.services() for runner in service.sagas.runners)
    return list(dict.fromkeys(runner.saga for runner in runners))


def _tidy(folder: Path) -> None:
    """Sort imports, drop those that are not used, wrap lines."""
    for command in (
        # One after the other: a list of imports that is shortened would stay on many lines.
        ["check", "--quiet", "--fix-only", "--select", "F401", str(folder)],
        ["check", "--quiet", "--fix-only", "--select", "I", str(folder)],
        ["format", "--quiet", str(folder)],
    ):
        subprocess.run([sys.executable, "-m", "ruff", *command], cwd=ROOT, check=True)
