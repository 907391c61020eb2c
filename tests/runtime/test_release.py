"""The official archives: taken when they are what was published, named and left when not."""

import time

import pytest

from runtime import pins
from tests.runtime.machine import FAKE_GO, Machine, must_be_complete
from tests.runtime.mirror import Mirror, packed

QUICK = ("--source", "release", "--timeout", "0.5")


def test_archives_with_the_published_checksums_become_the_runtime(machine: Machine) -> None:
    run = machine.run()
    assert run.returncode == 0, run.stderr
    path = must_be_complete(run.stdout)
    assert machine.cache in path.parents
    assert f"took release: {path}" in run.stderr


def test_nothing_of_the_archives_themselves_is_kept(machine: Machine) -> None:
    machine.run()
    assert len(machine.kept()) == len([*pins.BINARIES, "config.yaml"])


def test_a_wrong_checksum_is_named_and_nothing_is_kept(machine: Machine, mirror: Mirror) -> None:
    mirror.files[mirror.file("placement")] = packed("placement", "#!/bin/sh\necho changed\n")
    run = machine.run(*QUICK)
    assert run.returncode == 1
    assert mirror.file("placement") in run.stderr
    assert "SHA-256" in run.stderr
    assert machine.kept() == []


def test_without_a_checksum_in_the_repository_that_is_said(machine: Machine) -> None:
    run = machine.run(*QUICK)
    assert run.returncode == 0, run.stderr
    assert "runtime/checksums.txt knows nothing of dapr/dapr/" in run.stderr


def test_an_archive_and_its_checksum_that_were_both_replaced_are_refused(
    mirror: Mirror, repository: Machine
) -> None:
    record(repository)
    mirror.add("placement", packed("placement", "#!/bin/sh\necho changed\n"))

    run = repository.run(*QUICK)

    assert run.returncode == 1
    assert mirror.file("placement") in run.stderr
    assert "SHA-256" in run.stderr
    assert repository.kept() == []


def test_with_the_checksums_of_the_repository_the_server_is_not_asked_for_any(
    mirror: Mirror, repository: Machine
) -> None:
    record(repository)
    mirror.requests.clear()

    run = repository.run(*QUICK)

    assert run.returncode == 0, run.stderr
    assert not [each for each in mirror.requests if each.endswith(".sha256")]


def test_an_archive_that_the_repository_does_not_know_is_refused(repository: Machine) -> None:
    record(repository)
    file = repository.root / "runtime/checksums.txt"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(line for line in lines if "/sentry_" not in line))

    run = repository.run(*QUICK)

    assert run.returncode == 1
    assert "has no checksum of it" in run.stderr
    assert "runtime.record" in run.stderr


def record(repository: Machine) -> None:
    recorded = repository.run(module="runtime.record")
    assert recorded.returncode == 0, recorded.stderr
    assert "25 archives" in recorded.stdout


def test_a_checksum_that_is_a_web_page_is_named(machine: Machine, mirror: Mirror) -> None:
    mirror.files[f"{mirror.file('daprd')}.sha256"] = b"<html>Please log in</html>"
    run = machine.run(*QUICK)
    assert run.returncode == 1
    assert "holds no SHA-256 checksum" in run.stderr


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing", "HTTP Error 404"),
        ("broken", "the connection broke after"),
        ("stalled", "the server was silent for 0.5 s"),
        ("silent", "the server was silent for 0.5 s"),
    ],
)
def test_a_server_that_lets_a_download_down_is_named_within_seconds(
    machine: Machine, mirror: Mirror, fault: str, reason: str
) -> None:
    mirror.fault = fault
    start = time.monotonic()
    run = machine.run(*QUICK)
    assert time.monotonic() - start < 5
    assert run.returncode == 1
    assert mirror.file("placement") in run.stderr
    assert reason in run.stderr
    assert "DAPR_RUNTIME_RELEASES" in run.stderr
    assert machine.kept() == []


def test_a_server_that_sends_a_byte_now_and_then_meets_the_deadline(
    machine: Machine, mirror: Mirror
) -> None:
    mirror.fault = "trickling"
    run = machine.run(*QUICK, "--deadline", "1")
    assert run.returncode == 1
    assert "not finished before the deadline" in run.stderr
    assert machine.kept() == []


def test_an_archive_without_its_program_is_named(machine: Machine, mirror: Mirror) -> None:
    mirror.add("sentry", packed("README", "not what you want"))
    run = machine.run(*QUICK)
    assert run.returncode == 1
    assert mirror.file("sentry") in run.stderr
    assert machine.kept() == []


def test_a_program_of_another_version_does_not_reach_the_cache(
    machine: Machine, mirror: Mirror
) -> None:
    mirror.add("daprd", packed("daprd", "#!/bin/sh\necho 1.2.3\n"))
    run = machine.run(*QUICK)
    assert run.returncode == 1
    assert "1.2.3" in run.stderr
    assert machine.kept() == []


def test_a_failed_download_is_followed_by_a_build(machine: Machine, mirror: Mirror) -> None:
    mirror.fault = "broken"
    machine.install("go", FAKE_GO)
    run = machine.run()
    assert run.returncode == 0, run.stderr
    path = must_be_complete(run.stdout)
    assert "release: " in run.stderr
    assert f"took build: {path}" in run.stderr
