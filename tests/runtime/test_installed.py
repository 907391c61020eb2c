"""What `dapr init` left: taken when it is whole and fits, named and passed over when not."""

import socket
from pathlib import Path

import pytest

from runtime import command, pins
from runtime.failure import Failure
from runtime.sources import installed
from tests.runtime.machine import Machine, program

CLI_AND_DAPR = {"cli": pins.CLI_VERSION, "daprd": pins.RUNTIME_VERSION}


def test_an_installed_runtime_that_fits_is_taken(offline: Machine) -> None:
    offline.dapr_init(**CLI_AND_DAPR)
    run = offline.run()
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{offline.home}\n"
    assert f"took installed: {offline.home}" in run.stderr
    assert not any(offline.cache.iterdir())


def test_a_later_minor_fits(offline: Machine) -> None:
    offline.dapr_init(daprd="1.99.0", cli="1.99.0")
    run = offline.run()
    assert run.stdout == f"{offline.home}\n"
    (said,) = [line for line in run.stderr.splitlines() if "a later minor" in line]
    assert "1.99.0" in said
    assert pins.RUNTIME_VERSION in said


@pytest.mark.parametrize("versions", [{"daprd": "1.2.9"}, {"daprd": "2.18.2"}, {"cli": "1.2.9"}])
def test_an_installed_version_that_does_not_fit_is_named_and_passed_over(
    machine: Machine, versions: dict[str, str]
) -> None:
    machine.dapr_init(**(CLI_AND_DAPR | versions))
    run = machine.run()
    assert run.returncode == 0, run.stderr
    (named,) = [line for line in run.stderr.splitlines() if line.startswith("runtime: installed:")]
    assert next(iter(versions.values())) in named
    assert "does not fit" in named
    assert "took release" in run.stderr


@pytest.mark.parametrize("missing", ["bin/daprd", "config.yaml"])
def test_an_installation_with_a_part_missing_is_named(offline: Machine, missing: str) -> None:
    offline.dapr_init(**CLI_AND_DAPR)
    (offline.home / ".dapr" / missing).unlink()
    run = offline.run("--source", "installed")
    assert run.returncode == 1
    assert f".dapr/{missing}" in run.stderr
    assert "dapr init" in run.stderr


def test_a_missing_cli_is_named(offline: Machine) -> None:
    offline.dapr_init(**CLI_AND_DAPR)
    (offline.path / "dapr").unlink()
    run = offline.run("--source", "installed")
    assert run.returncode == 1
    assert "dapr CLI" in run.stderr


def test_containers_that_answer_stand_for_placement_and_scheduler(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        installed.check_control_plane(tmp_path, {"placement": port, "scheduler": port})


def test_containers_that_do_not_answer_are_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Failure, match=f"nothing answers on port {port}"):
        installed.check_control_plane(tmp_path, {"placement": port})


def test_a_program_that_does_not_answer_is_given_up(
    offline: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_ANSWER_SECONDS", 0.2)
    daprd = offline.install("daprd", "#!/bin/sh\n/bin/sleep 5\n")
    with pytest.raises(OSError, match="no answer within"):
        command.ask([daprd])


def test_a_program_that_fails_is_not_taken_for_its_version(offline: Machine) -> None:
    broken = offline.install("daprd", program(pins.RUNTIME_VERSION) + "exit 3\n")
    with pytest.raises(OSError, match="exit status 3"):
        command.ask([broken])
