"""`make kube-check` of a workspace holds, and says so when an overlay and dapr.yaml part ways."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def workspace(installed: Path, tmp_path: Path) -> Path:
    """What `make kube-check` reads, to be changed, with the tools of the installed one."""
    copy = tmp_path / "order-fulfilment"
    for part in ("deploy", "components", "tests/deploy"):
        shutil.copytree(installed / part, copy / part)
    for part in ("dapr.yaml", "pyproject.toml"):
        shutil.copy(installed / part, copy / part)
    return copy


def checked(workspace: Path, installed: Path, only: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(installed / ".venv/bin/python", "-m", "pytest", "-q", "-x"),
            *("-k", only, "tests/deploy"),
        ],
        cwd=workspace,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_it_holds_as_generated(installed: Path, workspace: Path) -> None:
    done = checked(workspace, installed)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq", "snssqs", "jetstream"])
def test_it_holds_after_make_use(installed: Path, workspace: Path, broker: str) -> None:
    subprocess.run(
        [
            *(installed / ".venv/bin/workspace", "use"),
            *("--broker", broker, "--store", "postgresql"),
        ],
        cwd=workspace,
        check=True,
    )
    done = checked(workspace, installed)
    assert done.returncode == 0, done.stdout


def test_it_holds_in_another_namespace(installed: Path, workspace: Path) -> None:
    for overlay in (workspace / "deploy/kubernetes/overlays").glob("*/kustomization.yaml"):
        line = 'namespace: "order-fulfilment"'
        assert line in overlay.read_text()
        overlay.write_text(overlay.read_text().replace(line, "namespace: shop"))
    done = checked(workspace, installed)
    assert done.returncode == 0, done.stdout


def test_an_overlay_that_is_not_there_is_refused_with_those_that_are(installed: Path) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "kube-config", "OVERLAY=prod"],
        cwd=installed,
        capture_output=True,
        text=True,
        timeout=60,
    )
    refusal, _ = done.stderr.splitlines()
    assert refusal == "there is no overlay prod; there are istio, local, production"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("file", "before", "after", "found_by"),
    [
        ("dapr.yaml", "appPort: 8002", "appPort: 8005", "ports"),
        ("dapr.yaml", 'UVICORN_ACCESS_LOG: "false"', 'UVICORN_ACCESS_LOG: "true"', "environment"),
        ("dapr.yaml", 'DEFAULT_STYLE: "chor', 'DEFAULT_STYLE: "x', "environment"),
        ("dapr.yaml", "components/pubsub/redis", "components/pubsub/kafka", "components"),
        ("dapr.yaml", "appID: shipping", "appID: carriers", "services"),
        ("components/pubsub/redis/pubsub.yaml", "name: redisHost", "name: host", "services"),
        ("deploy/kubernetes/service/deployment.yaml", "config: workspace", "config: c", "config"),
        ("deploy/kubernetes/service/deployment.yaml", "runAsNonRoot: true", "x: 1", "root"),
    ],
)
def test_it_says_where_they_part(
    installed: Path, workspace: Path, file: str, before: str, after: str, found_by: str
) -> None:
    text = (workspace / file).read_text()
    assert before in text
    (workspace / file).write_text(text.replace(before, after))
    done = checked(workspace, installed, only=found_by)
    assert done.returncode == 1, done.stdout
    assert found_by in done.stdout.partition("short test summary")[2], done.stdout
