"""One more service: it fits into a workspace, and no existing file changes."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.template.rendering import ROOT, SERVICE, Rendering, cookiecutter, tree

# Two hooks cannot share a file: cookiecutter renders each on its own.
SHARED = re.compile(r"^# What each Python.*?^among\(\) \{.*?^\}$", re.MULTILINE | re.DOTALL)

# The tests of the workspace that concern each service.
STATIC = [f"tests/static/test_{name}.py" for name in ("dependencies", "image", "in_flight")]


@pytest.fixture
def services(workspace: Path, output: Path) -> Path:
    """The services folder of a workspace of its own."""
    return shutil.copytree(workspace, output / "order-fulfilment") / "services"


def add(template: Path, services: Path, **answers: str) -> Rendering:
    return cookiecutter(template, services, "--directory", "service", **answers)


def to_paste(readme: str, language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", readme, re.DOTALL)
    return str(block)


def enlist(workspace: Path, name: str) -> None:
    """Do by hand what the README of the service asks for."""
    readme = (workspace / "services" / name / "README.md").read_text()
    pyproject = workspace / "pyproject.toml"
    text = pyproject.read_text()
    for line in to_paste(readme, "toml").splitlines():
        if line.startswith(f"{name} ="):
            text = text.replace("[tool.uv.sources]\n", f"[tool.uv.sources]\n{line}\n")
    package = name.replace("-", "_")
    text = text.replace('"shipping"]', f'"shipping", "{name}"]')
    # For mypy and import-linter.
    text = text.replace('"shipping",\n', f'"shipping", "{package}",\n')
    pyproject.write_text(text.replace('["orders | ', f'["{package} | orders | '))
    with (workspace / "dapr.yaml").open("a") as dapr:
        dapr.write(to_paste(readme, "yaml"))


def test_adding_a_service_changes_no_file_of_the_workspace(template: Path, services: Path) -> None:
    workspace = services.parent
    before = tree(workspace)
    assert add(template, services).code == 0
    after = tree(workspace)
    new = after.keys() - before.keys()
    assert before == {name: entry for name, entry in after.items() if name not in new}
    assert all(name.startswith("services/notifications") for name in new)


def test_what_is_left_to_do_is_printed(template: Path, services: Path) -> None:
    rendering = add(template, services)
    assert (services / "notifications/README.md").read_text() in rendering.stdout


def test_its_answers_reach_its_entry_in_dapr_yaml(template: Path, services: Path) -> None:
    assert add(template, services, service_name="fraud-check", app_port="9042").code == 0
    enlist(services.parent, "fraud-check")
    apps: list[dict[str, Any]] = yaml.safe_load((services.parent / "dapr.yaml").read_text())["apps"]
    assert set(apps[-1]) == set(apps[-2])
    assert apps[-1]["appID"] == "fraud-check"
    assert [apps[-1][f"{port}ort"] for port in ("appP", "daprHTTPP", "daprGRPCP", "metricsP")] == [
        9042,
        3542,
        3642,
        9142,
    ]
    assert apps[-1]["command"][:5] == [
        ".venv/bin/uvicorn",
        "--factory",
        "fraud_check.main:app",
        "--port",
        "9042",
    ]
    assert (services / "fraud-check/src/fraud_check/main.py").exists()


@pytest.mark.parametrize(
    "name",
    ["Fraud", "fraud_check", "1st", "a" * 41, "", "../fraud", "email", "class", "dapr", "tests"],
)
def test_a_bad_name_is_refused(template: Path, services: Path, name: str) -> None:
    must_be_refused(template, services, "service_name", service_name=name)


def test_the_name_of_the_workspace_is_refused(template: Path, services: Path) -> None:
    must_be_refused(template, services, "service_name", service_name="order-fulfilment")


@pytest.mark.parametrize(
    "port", ["80", "1023", "65536", "99999999", "0x1F90", "-8005", "8005.0", "http", "", "08005"]
)
def test_a_bad_port_is_refused(template: Path, services: Path, port: str) -> None:
    must_be_refused(template, services, "app_port", app_port=port)


@pytest.mark.parametrize("port", ["8001", "9001"])
def test_a_port_that_an_app_or_its_sidecar_has_is_refused(
    template: Path, services: Path, port: str
) -> None:
    must_be_refused(template, services, "app_port", app_port=port)


def test_outside_of_a_workspace_it_is_refused(template: Path, output: Path) -> None:
    must_be_refused(template, output, "a service belongs in the services folder")


def must_be_refused(template: Path, services: Path, start: str, **answers: str) -> None:
    before = tree(services)
    rendering = add(template, services, **answers)
    assert rendering.code == 1
    (line,) = rendering.stderr.splitlines()
    assert line.startswith(start)
    assert tree(services) == before


def test_what_both_hooks_say_they_say_alike() -> None:
    workspace, service = (
        SHARED.findall((folder / "hooks/pre_gen_project.sh").read_text())
        for folder in (ROOT, SERVICE)
    )
    assert len(workspace) == 1
    assert workspace == service


def test_it_passes_the_checks_and_its_tests_in_the_workspace(
    template: Path, services: Path
) -> None:
    assert add(template, services, service_name="fraud-check").code == 0
    workspace = services.parent
    enlist(workspace, "fraud-check")
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    for command in (
        ["uv", "sync", "--quiet"],
        ["uv", "run", "--no-sync", "ruff", "check", "services/fraud-check"],
        ["uv", "run", "--no-sync", "ruff", "format", "--check", "services/fraud-check"],
        ["uv", "run", "--no-sync", "mypy", "-p", "fraud_check"],
        ["uv", "run", "--no-sync", "lint-imports", "--no-cache"],
        ["uv", "run", "--no-sync", "pytest", "-q", *STATIC],
        ["uv", "run", "--no-sync", "pytest", "-q", "services/fraud-check"],
        ["uv", "run", "--no-sync", "python", "-c", "import fraud_check.main"],
    ):
        done = subprocess.run(
            command, cwd=workspace, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
