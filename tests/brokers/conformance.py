"""What every broker's profile must do, written once; a profile's test class inherits it."""

import os
import subprocess
import threading
import time
import urllib.error
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.brokers.servers.postgresql import PostgreSQL
from tests.brokers.servers.server import Server
from tests.brokers.sidecars import Bench, Probe, require_one_clear_line
from tests.contract.profiles import COMPONENT
from tests.contract.running import run_live
from tests.waiting import wait_until

DELIVERY_SECONDS = 60
BIG = 200_000


@dataclass(frozen=True)
class Store:
    """A store's profile, and what that takes from the environment."""

    profile: str
    environment: Mapping[str, str]


class BrokerConformance:
    """Subclasses say which profile, which server, and what the broker cannot do."""

    broker: str
    #: Whether messages with one key arrive in the order in which they were published.
    keeps_order_of_a_key = False
    #: How many messages of one publisher may be lost when the broker is killed, though accepted.
    lost_by_a_kill = 0
    #: Bytes that a sidecar takes and this broker does not; 0 if it takes as much.
    too_large = 0
    #: Whether a sidecar goes on by itself once its broker is back.
    sidecar_outlives_broker = True

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Iterator[Server]:
        server = cls.make_server(tmp_path_factory.mktemp(cls.broker), installed)
        server.start()
        yield server
        server.stop()

    @classmethod
    def make_server(cls, folder: Path, workspace: Path) -> Server:
        raise NotImplementedError

    @pytest.fixture
    def bench(self, tmp_path: Path, installed: Path, server: Server) -> Bench:
        return Bench(installed, tmp_path, self.broker, server.environment)

    @pytest.fixture
    def app_id(self) -> str:
        """A consumer group that no other test uses."""
        return f"probe-{uuid.uuid4().hex[:8]}"

    @pytest.fixture
    def probe(self, bench: Bench, server: Server) -> Iterator[Callable[..., Probe]]:
        started: list[Probe] = []

        def start(
            app_id: str,
            replica: str = "one",
            keys: str | None = None,
            environment: Mapping[str, str] = MappingProxyType({}),
        ) -> Probe:
            server.make_topics(["note", f"{app_id}-dead-letters"])
            own = replace(bench, environment={**bench.environment, **environment})
            started.append(Probe(own, app_id, replica, keys).start())
            return started[-1]

        yield start
        for each in started:
            each.stop()

    @pytest.fixture(params=["sqlite", "postgresql"])
    def store(self, request: pytest.FixtureRequest) -> Iterator[Store]:
        if request.param == "sqlite":
            yield Store(request.param, {})
            return
        server = PostgreSQL()
        server.start()
        yield Store(request.param, server.environment)
        server.stop()

    def test_the_three_styles_end_as_they_must_on_each_store(
        self, installed: Path, server: Server, store: Store
    ) -> None:
        # The run on the other store may leave messages, for workflows that this store never knew.
        server.start_afresh()
        program = str(installed / ".venv" / "bin" / "workspace")
        environment = {**os.environ, **server.environment, **store.environment}
        for command in (
            [program, "use", "--broker", self.broker, "--store", store.profile],
            [program, "demo", "--orders", "20"],
        ):
            done = subprocess.run(
                command, cwd=installed, env=environment, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stdout + done.stderr
        assert "add up in every style" in done.stderr

    def test_the_sidecar_keeps_the_contract_that_the_stand_ins_keep(
        self, installed: Path, server: Server
    ) -> None:
        server.make_topics(["note", "contract-dead-letters"])
        profile = installed / "components" / "pubsub" / self.broker / "pubsub.yaml"
        environment = {
            **server.environment,
            COMPONENT: str(profile),
            "CONTRACT_TOO_LARGE": str(self.too_large),
        }
        run_live(installed, "brokers.py", environment)
        # Some brokers would hand what it published to each new group of the tests that follow.
        server.start_afresh()

    def test_what_a_killed_consumer_was_doing_is_delivered_again(
        self, probe: Callable[..., Probe], app_id: str
    ) -> None:
        consumer = probe(app_id)
        consumer.publish(key=app_id, number=1, then="stall")
        wait_until("the handler at work", consumer.stalled.exists, DELIVERY_SECONDS)

        consumer.kill_app()
        consumer.killed.touch()
        consumer.start_app()

        wait_until("its redelivery", lambda: consumer.numbers(app_id) == [1], DELIVERY_SECONDS)

    def test_what_can_never_succeed_is_dead_lettered_and_delays_nobody(
        self, probe: Callable[..., Probe], app_id: str
    ) -> None:
        consumer = probe(app_id)
        consumer.publish(key=app_id, number=1, then="drop")
        consumer.publish(key=app_id, number=2)

        wait_until("the good one", lambda: consumer.numbers(app_id) == [2], DELIVERY_SECONDS)
        wait_until("the dead letter", lambda: len(consumer.dead_letters()) == 1, DELIVERY_SECONDS)

    def test_what_fails_for_too_long_is_dead_lettered(
        self, probe: Callable[..., Probe], app_id: str
    ) -> None:
        consumer = probe(app_id, environment={"RETRY_SECONDS": "3"})
        consumer.publish(key=app_id, number=1, then="retry")

        def kinds() -> list[str]:
            return [letter["kind"] for letter in consumer.dead_letters()]

        wait_until("the letter", lambda: kinds() == ["retrying"], DELIVERY_SECONDS)
        wait_until("the dead letter", lambda: kinds() == ["exhausted"], DELIVERY_SECONDS)
        assert consumer.dead_letters()[0]["attempts"] > 1

    def test_hung_messages_hold_back_no_healthy_one(
        self, probe: Callable[..., Probe], app_id: str
    ) -> None:
        consumer = probe(app_id)
        healthy = list(range(200))
        for number in healthy:
            if number % 20 == 0:
                consumer.publish(key=f"{app_id}.hung.{number}", number=1_000 + number, then="hang")
            consumer.publish(key=f"{app_id}.{number}", number=number)

        wait_until("all healthy ones", lambda: sorted(consumer.numbers()) == healthy, 120)
        wait_until("the hung ones", lambda: len(consumer.dead_letters()) == 10, DELIVERY_SECONDS)
        assert all("hung" in letter["subject"] for letter in consumer.dead_letters())

    def test_replicas_share_the_work_and_another_group_gets_it_all(
        self, probe: Callable[..., Probe], app_id: str
    ) -> None:
        first, second = probe(app_id), probe(app_id, "two")
        other = probe(f"{app_id}-other", keys=app_id)
        numbers = list(range(200))
        for number in numbers:
            first.publish(key=f"{app_id}.{number}", number=number)

        def shared() -> list[int]:
            return sorted(
                number
                for replica in (first, second)
                for key, number, _ in replica.notes()
                if key.startswith(f"{app_id}.")
            )

        wait_until("all notes", lambda: len(set(shared())) == len(numbers), DELIVERY_SECONDS)
        assert shared() == numbers
        assert first.notes()
        assert second.notes()

        def received() -> set[int]:
            return {number for key, number, _ in other.notes() if key.startswith(f"{app_id}.")}

        wait_until("the other group's notes", lambda: received() == set(numbers), DELIVERY_SECONDS)

    def test_one_key_keeps_its_order_where_that_is_promised(
        self, probe: Callable[..., Probe], app_id: str
    ) -> None:
        consumer = probe(app_id)
        keys = [f"{app_id}.{letter}" for letter in "abc"]
        for number in range(100):
            for key in keys:
                consumer.publish(key=key, number=number)

        wait_until(
            "all notes",
            lambda: all(len(set(consumer.numbers(key))) == 100 for key in keys),
            DELIVERY_SECONDS,
        )
        for key in keys:
            arrived = consumer.numbers(key)
            if self.keeps_order_of_a_key:
                assert arrived == sorted(arrived)

    def test_a_message_of_200_kb_arrives_whole(
        self, probe: Callable[..., Probe], app_id: str
    ) -> None:
        consumer = probe(app_id)
        consumer.publish(key=app_id, number=1, text="x" * BIG)

        wait_until("the message", lambda: (app_id, 1, BIG) in consumer.notes(), DELIVERY_SECONDS)

    def test_a_restart_of_the_broker_under_load_loses_nothing(
        self, probe: Callable[..., Probe], app_id: str, server: Server
    ) -> None:
        if not server.durable:
            # The stand-in keeps its data in memory; the service that it stands for does not.
            assert self.broker == "snssqs"
            return
        consumer = probe(app_id)
        accepted: list[int] = []

        def load() -> None:
            for number in range(300):
                deadline = time.monotonic() + DELIVERY_SECONDS
                while True:
                    try:
                        consumer.publish(key=app_id, number=number)
                        break
                    except (urllib.error.URLError, OSError):
                        # Refused, so not accepted: the publisher tries again.
                        assert time.monotonic() < deadline
                        time.sleep(0.2)
                accepted.append(number)

        publisher = threading.Thread(target=load)
        publisher.start()
        wait_until("a third of the load", lambda: len(accepted) > 100, DELIVERY_SECONDS)
        server.kill()
        server.start()
        publisher.join(2 * DELIVERY_SECONDS)

        assert len(accepted) == 300
        if not self.sidecar_outlives_broker:
            consumer.restart_sidecar()
        wait_until(
            "everything that was accepted",
            lambda: len(set(accepted) - set(consumer.numbers(app_id))) <= self.lost_by_a_kill,
            2 * DELIVERY_SECONDS,
        )

    def test_a_wrong_password_ends_in_one_clear_line(
        self, bench: Bench, server: Server, app_id: str
    ) -> None:
        if server.with_wrong_password is None:
            # The stand-in takes any key; the service that it stands for does not.
            assert self.broker == "snssqs"
            return
        wrong = replace(bench, environment=server.with_wrong_password)
        require_one_clear_line(wrong, app_id, r"(?i)pubsub.*(auth|password)")
