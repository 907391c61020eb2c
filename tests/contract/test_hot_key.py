"""Two replicas of a service, each with a sidecar of its own, and a thousand messages on one key."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.brokers.servers.postgresql import PostgreSQL
from tests.brokers.servers.valkey import Valkey
from tests.brokers.sidecars import Bench, Probe
from tests.waiting import wait_until

MESSAGES = 1_000
#: A commit for every ten messages, those that lose their race included.
MOST_COMMITS = 100
SECONDS = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def replicas(
    request: pytest.FixtureRequest, tmp_path: Path, installed: Path
) -> Iterator[tuple[Probe, Probe]]:
    (tmp_path / "broker").mkdir()
    broker = Valkey(tmp_path / "broker", installed)
    database = PostgreSQL() if request.param == "postgresql" else None
    environment = {**broker.environment, **(database.environment if database else {})}
    bench = Bench(installed, tmp_path, "redis", environment, store=request.param)
    one, two = (Probe(bench, "hot", replica) for replica in ("one", "two"))
    with ExitStack() as stack:
        for each in (broker, database, one, two):
            if each is not None:
                stack.callback(each.stop)
                each.start()
        yield one, two


def test_a_thousand_messages_on_one_key_take_a_hundred_commits_and_none_fails(
    replicas: tuple[Probe, Probe],
) -> None:
    one, _ = replicas
    before = commits(replicas)

    notes = [{"key": "hot", "number": number, "then": "count"} for number in range(MESSAGES)]
    for start in range(0, MESSAGES, 100):
        one.publish_all(notes[start : start + 100])

    wait_until("all messages", lambda: one.state("total") == MESSAGES, SECONDS)
    assert commits(replicas) - before <= MOST_COMMITS
    assert one.dead_letters() == []
    assert [line for replica in replicas for line in replica.said if "tried again" in line] == []


def commits(replicas: tuple[Probe, ...]) -> float:
    """Transactions that the sidecars were asked for, those that lost a race included."""
    return sum(
        each.measured("dapr_component_state_count", operation="transaction") for each in replicas
    )
