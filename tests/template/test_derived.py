"""In a fresh workspace there is nothing to derive, and what one changes is derived at once."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.template.rendering import cookiecutter


def derive(folder: Path, installed: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """With the tools and the services of the installed workspace."""
    return subprocess.run(
        [str(installed / ".venv/bin/workspace"), "derive", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def workspace(installed: Path, tmp_path: Path) -> Path:
    """What is derived, and what from, to be changed."""
    copy = tmp_path / "order-fulfilment"
    for part in ("contracts", "deploy", "components"):
        shutil.copytree(installed / part, copy / part)
    shutil.copy(installed / "dapr.yaml", copy)
    return copy


@pytest.mark.parametrize(
    "answers",
    [
        *({"broker": name} for name in ("redis", "kafka", "rabbitmq", "snssqs", "jetstream")),
        *({"default_style": name} for name in ("orchestration", "hybrid")),
        {"project_slug": "another-shop"},
    ],
    ids=lambda answers: "-".join(answers.values()),
)
def test_derive_changes_nothing_as_generated(
    template: Path, installed: Path, tmp_path: Path, answers: dict[str, str]
) -> None:
    rendering = cookiecutter(template, tmp_path / "out", **answers)
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    (folder,) = rendering.output.iterdir()
    for options in (("--check",), ()):
        done = derive(folder, installed, *options)
        assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_another_port_is_derived_for_every_target(installed: Path, workspace: Path) -> None:
    file = workspace / "dapr.yaml"
    file.write_text(file.read_text().replace("appPort: 8002", "appPort: 8005"))
    checked = derive(workspace, installed, "--check")
    assert checked.returncode == 1
    assert derive(workspace, installed).stdout.splitlines() == [
        "deploy/compose/services/inventory.yaml: written",
        "deploy/kubernetes/base/services/inventory/service.yaml: written",
    ]
    assert derive(workspace, installed, "--check").returncode == 0


def test_what_a_service_leaves_behind_is_named_and_removed(
    installed: Path, workspace: Path
) -> None:
    file = workspace / "dapr.yaml"
    file.write_text(file.read_text().partition("  - appID: shipping")[0])
    checked = derive(workspace, installed, "--check")
    assert checked.returncode == 1
    left = "deploy/compose/services/shipping.yaml is of no service of dapr.yaml"
    assert left in checked.stdout
    assert derive(workspace, installed).returncode == 0
    names = [path.name for path in workspace.rglob("*") if "shipping" in path.name]
    assert names == []
    assert derive(workspace, installed, "--check").returncode == 0


def test_a_change_by_hand_is_found_and_sent_where_it_belongs(
    installed: Path, workspace: Path
) -> None:
    file = workspace / "deploy/compose/services/inventory.yaml"
    file.write_text(file.read_text().replace("services:", "# Mine.\nservices:", 1))
    done = derive(workspace, installed, "--check")
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith("deploy/compose/services/inventory.yaml is not what dapr.yaml")
    assert "compose.override.yaml" in line
