import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.brokers.conformance import DELIVERY_SECONDS, BrokerConformance
from tests.brokers.servers.valkey import ManagedValkey, Valkey
from tests.brokers.sidecars import Bench, Probe, require_one_clear_line
from tests.debian import install
from tests.waiting import wait_until


class TestRedis(BrokerConformance):
    broker = "redis"

    @classmethod
    def make_server(cls, folder: Path, workspace: Path) -> Valkey:
        return Valkey(folder, workspace)


@pytest.fixture
def managed(tmp_path: Path, installed: Path) -> Iterator[Bench]:
    """The profile, with a server behind TLS whose user has a name."""
    folder = tmp_path / "managed"
    folder.mkdir()
    server = ManagedValkey(folder, installed)
    server.start()
    yield Bench(installed, tmp_path, "redis", server.environment)
    server.stop()


def test_a_managed_server_takes_and_gives_messages(managed: Bench) -> None:
    probe = Probe(managed, "managed")
    try:
        probe.start()
        probe.publish(key="managed", number=1)
        wait_until("the message", lambda: probe.numbers() == [1], DELIVERY_SECONDS)
    finally:
        probe.stop()


@pytest.fixture
def trim(managed: Bench, tmp_path: Path) -> Callable[[], int]:
    """Runs the job of a cluster on the managed server; how many messages have gone."""
    install("redis-tools", "/usr/bin/redis-cli")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "valkey-cli").symlink_to("/usr/bin/redis-cli")
    streams = tmp_path / "streams"
    streams.mkdir()
    script = managed.workspace / "components/pubsub/redis/trim.lua"
    (streams / "trim.lua").write_text(script.read_text())
    topics = "note, reader-dead-letters, sleeper-dead-letters"
    (streams / "pubsub.yaml").write_text(
        f"    - name: protectedTopics\n      value: >-\n        {topics}\n"
        "    - name: subscriptionScopes\n      value: >-\n"
        "        reader=note;\n        sleeper=note;\n"
    )
    (authority,) = Path(managed.environment["SSL_CERT_DIR"]).glob("*.pem")
    job = yaml.safe_load(
        (managed.workspace / "deploy/kubernetes/brokers/redis/trim.yaml").read_text()
    )
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    *shell, text = container["command"]
    text = text.replace("/authorities/authority.pem", str(authority))
    text = text.replace("/streams", str(streams)).rstrip() + " 0"
    environment = {
        **os.environ,
        **managed.environment,
        "REDISCLI_AUTH": managed.environment["REDIS_PASSWORD"],
        "PATH": f"{programs}:{os.environ['PATH']}",
    }

    def run() -> int:
        done = subprocess.run(
            [*shell, text], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return int(done.stdout.strip().removeprefix("note: ") or 0)

    return run


def test_streams_lose_what_all_have_read_and_nothing_else(
    managed: Bench, trim: Callable[[], int]
) -> None:
    reader, sleeper = Probe(managed, "reader", keys="all"), Probe(managed, "sleeper", keys="all")
    first, second = list(range(150)), list(range(150, 300))

    def publish(numbers: list[int]) -> None:
        reader.publish_all({"key": "all", "number": number} for number in numbers)

    def have_read(numbers: list[int], *probes: Probe) -> None:
        for each in probes:
            read = each.numbers
            wait_until("all of them", lambda: sorted(read()) == numbers, DELIVERY_SECONDS)  # noqa: B023

    def go(numbers: list[int]) -> None:
        """What was handled is acknowledged soon after, and not all at once."""
        gone: list[int] = []

        def have_gone() -> bool:
            gone.append(trim())
            return sum(gone) == len(numbers)

        wait_until("the trimming", have_gone, DELIVERY_SECONDS, state=lambda: str(gone))

    try:
        reader.start()
        sleeper.start()
        publish(first)
        have_read(first, reader, sleeper)
        go(first)

        sleeper.stop()
        publish(second)
        have_read(first + second, reader)
        assert trim() == 0

        sleeper.start()
        have_read(first + second, reader, sleeper)
        go(second)
    finally:
        reader.stop()
        sleeper.stop()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SSL_CERT_DIR", "/nowhere", "certificate signed by unknown authority"),
        ("REDIS_USERNAME", "unauthorized", "WRONGPASS"),
        ("REDIS_ENABLE_TLS", "", "error decoding 'enableTLS': invalid bool"),
    ],
)
def test_a_managed_server_that_refuses_is_one_clear_line(
    managed: Bench, name: str, value: str, said: str
) -> None:
    environment = {**managed.environment, name: value}
    bench = replace(managed, environment=environment)
    require_one_clear_line(bench, "refused", f"pubsub.*{said}")
