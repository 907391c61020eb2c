"""All sources together, and the cache behind them."""

import signal
import time

from runtime import pins
from tests.runtime.machine import DEADLINE_SECONDS, FAKE_GO, Machine, must_be_complete
from tests.runtime.mirror import Mirror


def test_when_all_sources_fail_each_is_named_with_its_step_reason_and_advice(
    offline: Machine,
) -> None:
    offline.install(
        "go", FAKE_GO.replace("while [", "echo 'go: no proxy today' >&2; exit 1\nwhile [")
    )
    run = offline.run()
    assert run.returncode == 1
    assert run.stdout == ""
    account = run.stderr.partition("no source gave")[2]
    for source, reason, advice in (
        ("installed", "there is no", "dapr init"),
        ("release", "Connection refused", "DAPR_RUNTIME_RELEASES"),
        ("build", "go: no proxy today", "GOPROXY"),
    ):
        part = account.partition(f"  {source}: ")[2]
        said, _, rest = part.partition("do: ")
        assert reason in said
        assert advice in rest.partition("\n")[0]
    assert "Traceback" not in run.stderr
    assert offline.kept() == []


def test_a_second_run_uses_the_cache(machine: Machine, mirror: Mirror) -> None:
    first = machine.run()
    mirror.requests.clear()
    second = machine.run()
    assert second.stdout == first.stdout
    assert "from the cache" in second.stderr
    assert mirror.requests == []


def test_of_two_runs_at_once_one_does_the_work_and_both_print_its_path(
    machine: Machine, mirror: Mirror
) -> None:
    mirror.fault = "trickling"
    with machine.start() as one, machine.start() as other:
        outputs = [process.communicate(timeout=DEADLINE_SECONDS) for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    must_be_complete(outputs[0][0])
    assert sum("from the cache" in err for _, err in outputs) == 1
    assert len(mirror.requests) == 2 * len(pins.BINARIES)


def test_a_run_after_one_that_was_killed_works(machine: Machine, mirror: Mirror) -> None:
    mirror.fault = "silent"
    with machine.start() as process:
        end = time.monotonic() + DEADLINE_SECONDS
        while not any(path.endswith(mirror.file("placement")) for path in mirror.requests):
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    mirror.fault = ""
    run = machine.run()
    assert run.returncode == 0, run.stderr
    path = must_be_complete(run.stdout)
    assert all(str(path.relative_to(machine.cache)) + "/" in file for file in machine.kept())


def test_a_cached_runtime_with_a_part_removed_is_fetched_anew(machine: Machine) -> None:
    path = must_be_complete(machine.run().stdout)
    (path / ".dapr" / "bin" / "sentry").unlink()
    assert must_be_complete(machine.run().stdout) == path


def test_a_source_can_be_forced_past_what_another_has_cached(machine: Machine) -> None:
    machine.install("go", FAKE_GO)
    downloaded = machine.run("--source", "release").stdout
    built = machine.run("--source", "build").stdout
    assert must_be_complete(built) != must_be_complete(downloaded)


def test_a_cache_that_cannot_be_written_is_named(machine: Machine) -> None:
    machine.cache.rmdir()
    machine.cache.write_text("a file where a folder should be")
    run = machine.run()
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert str(machine.cache) in run.stderr
    assert "XDG_CACHE_HOME" in run.stderr
