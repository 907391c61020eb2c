"""Faults and demo of another saga on real sidecars, without a line that is written for it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.template.rendering import cookiecutter

INITIATOR = "trips"
PARTICIPANTS = ("rooms", "billing", "vouchers")
DEADLINE_SECONDS = 540
STYLES = ("choreography", "orchestration", "hybrid")
MAIN = """from testkit.trip_members import {member}

compose = {compose}


def app():
    {altered}
    return compose().app
"""
WITHOUT_INBOX = """from testkit.faults.alterations import Alteration, without_inbox

    without_inbox(Alteration(1, frozenset(), 0.0))"""


@pytest.fixture(scope="module")
def workspace(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that runs trips, and has nothing of its own in tests/."""
    rendering = cookiecutter(template, tmp_path_factory.mktemp("trips") / "out")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    folder = rendering.output / "order-fulfilment"
    subprocess.run(["make", "setup"], cwd=folder, env=environment(folder), check=True)
    shutil.rmtree(folder / "tests")
    for name in (INITIATOR, *PARTICIPANTS):
        serve(folder, name)
    file = folder / "dapr.yaml"
    common = file.read_text().partition("apps:\n")[0]
    apps = [app(name, number) for number, name in enumerate((INITIATOR, *PARTICIPANTS), 1)]
    file.write_text(f"{common}apps:\n{''.join(apps)}")
    derived = run(folder, "derive")
    assert derived.returncode == 0, derived.stderr
    return folder


def serve(folder: Path, name: str, altered: str = "") -> None:
    package = folder / "members" / name
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    member = "initiator" if name == INITIATOR else "participant"
    compose = member if name == INITIATOR else f"participant({name!r}).compose"
    content = MAIN.format(member=member, compose=compose, altered=altered)
    (package / "main.py").write_text(content)


def app(name: str, number: int) -> str:
    return f"""  - appID: {name}
    appDirPath: .
    appPort: {8000 + number}
    daprHTTPPort: {3500 + number}
    daprGRPCPort: {3600 + number}
    metricsPort: {9100 + number}
    command: [sh, -c, 'exec .venv/bin/uvicorn --factory {name}.main:app --port {8000 + number}']
"""


def environment(folder: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return {**inherited, "PYTHONPATH": str(folder / "members"), "COLUMNS": "200"}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [".venv/bin/workspace", *command],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


def test_the_demo_shows_each_style_of_it(workspace: Path) -> None:
    done = run(workspace, "demo", "--processes", "20")

    assert done.returncode == 0, done.stderr
    for style in STYLES:
        assert f"trip-requested │ {style}" in " ".join(done.stdout.split())


def test_the_faults_break_none_of_its_invariants(workspace: Path) -> None:
    faults = ("duplicates", "lost-reply", "participant-killed", "initiator-killed")
    options = [option for fault in faults for option in ("--only", fault)]
    done = run(workspace, "faults", "--processes", "15", "--seed", "1", *options)

    assert done.returncode == 0, done.stderr
    for style in STYLES:
        assert done.stderr.count(f"trip-requested, {style}: ") == len(faults)


def test_a_participant_without_inbox_is_found(workspace: Path) -> None:
    serve(workspace, "rooms", WITHOUT_INBOX)
    try:
        only = ("--only", "duplicates", "--style", "hybrid")
        done = run(workspace, "faults", "--processes", "15", *only)
    finally:
        serve(workspace, "rooms")

    assert done.returncode == 1, done.stderr
    assert "S7: rooms sent" in done.stderr
