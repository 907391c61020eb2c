"""A workspace with two members in Node: what reads members reads them, and they pass the faults."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.node.programs import link
from tests.node.render import with_node
from tests.template.rendering import cookiecutter

SECONDS = 600
PYTEST = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def workspace(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    rendering = cookiecutter(template, tmp_path_factory.mktemp("node") / "out")
    assert rendering.code == 0, rendering.stdout + rendering.stderr
    with pytest.MonkeyPatch.context() as patch:
        programs = link(tmp_path_factory.mktemp("programs") / "bin")
        patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        yield with_node(rendering.output / "order-fulfilment")


def run(workspace: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command of the workspace's own environment."""
    environment: Mapping[str, str] = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    return subprocess.run(
        [str(workspace / ".venv/bin" / command[0]), *command[1:]],
        cwd=workspace,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_there_is_nothing_more_to_derive(workspace: Path) -> None:
    done = run(workspace, "workspace", "derive", "--check")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_a_member_in_node_is_let_in_to_its_own_topics(workspace: Path) -> None:
    content = (workspace / "components/pubsub/redis/pubsub.yaml").read_text()
    assert "shipping=dispatch-shipment, payment-captured, shipping-dead-letters;" in content
    assert "notices=notices-dead-letters, order-cancelled, order-confirmed;" in content


def test_its_own_checks_are_run(workspace: Path) -> None:
    done = run(workspace, "workspace", "members", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "shipping: node --check main.js\n"


def test_the_check_of_the_wiring_reads_it(workspace: Path) -> None:
    wiring = (
        "python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/static/test_sagas.py",
    )
    assert run(workspace, *wiring).returncode == 0
    file = workspace / "services/shipping/member.toml"
    right = file.read_text()
    file.write_text(right.replace("payment-captured =", "payment-refunded ="))
    try:
        done = run(workspace, *wiring)
    finally:
        file.write_text(right)
    assert "shipping does not react to PaymentCaptured with DispatchShipment" in done.stdout


def test_a_member_that_keeps_no_dead_letters_is_named_with_its_topic(workspace: Path) -> None:
    file = workspace / "services/notices/member.toml"
    right = file.read_text()
    file.write_text(f"dead_letters = false\n{right}")
    try:
        done = run(workspace, "workspace", "dead-letters", "list", "--service", "notices")
    finally:
        file.write_text(right)
    assert done.returncode == 1
    assert "is in the topic notices-dead-letters" in done.stderr


def test_on_real_sidecars_it_does_what_a_member_in_python_does(workspace: Path) -> None:
    done = run(workspace, *PYTEST, "tests/node")
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_passes_the_duplicates_of_the_fault_suite_in_every_style(workspace: Path) -> None:
    only = ("--only", "duplicates")
    done = run(workspace, "workspace", "faults", "--orders", "10", *only)
    assert done.returncode == 0, done.stdout + done.stderr
