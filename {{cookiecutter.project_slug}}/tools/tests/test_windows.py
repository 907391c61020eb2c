"""Who gives up when: a service before its sidecar, and both before the broker hands out again."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.deliveries import LARGE_SECONDS
from chassis.settings import ServiceSettings
from chassis.subscriptions import SLOW_SECONDS
from workspace import streams
from workspace.daprfile import ROOT
from workspace.profiles import COMPONENTS

#: What of a profile says when the broker hands out again what was not acknowledged.
HANDED_OUT_AGAIN = {
    "redis": "processingTimeout",
    "jetstream": "ackWait",
    "snssqs": "messageVisibilityTimeout",
    # Its connection holds them: until that ends, or for the broker's `consumer_timeout`.
    "rabbitmq": None,
    # Their partition is another's only when this consumer has ended.
    "kafka": None,
}
#: RabbitMQ's default.
CONSUMER_TIMEOUT = timedelta(minutes=30)
UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "": "seconds"}


def duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)(\w*)", text)
    assert found, text
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def default(setting: str) -> timedelta:
    return timedelta(seconds=ServiceSettings.model_fields[setting].default)


def policies() -> tuple[timedelta, timedelta, int]:
    """Of a sidecar: how long an attempt may take, the pause after it, and how many pauses."""
    spec = yaml.safe_load((COMPONENTS / "resiliency.yaml").read_text())["spec"]
    inbound = spec["targets"]["components"]["pubsub"]["inbound"]
    retry: dict[str, Any] = spec["policies"]["retries"][inbound["retry"]]
    assert retry["policy"] == "constant"
    attempt = duration(spec["policies"]["timeouts"][inbound["timeout"]])
    return attempt, duration(retry["duration"]), int(retry["maxRetries"])


def metadata(broker: str) -> dict[str, str]:
    file = COMPONENTS / "pubsub" / broker / "pubsub.yaml"
    entries = yaml.safe_load(file.read_text())["spec"]["metadata"]
    return {entry["name"]: str(entry.get("value", "")) for entry in entries}


def test_every_broker_is_known_here() -> None:
    assert HANDED_OUT_AGAIN.keys() == {path.name for path in (COMPONENTS / "pubsub").iterdir()}


def test_a_service_gives_up_before_its_sidecar() -> None:
    _, pause, retries = policies()
    assert default("retry_seconds") < retries * pause
    assert default("unknown_retry_seconds") < retries * pause


def test_a_service_answers_before_its_sidecar_ends_the_attempt() -> None:
    attempt, _, _ = policies()
    assert timedelta(seconds=LARGE_SECONDS + SLOW_SECONDS) < attempt


@pytest.mark.parametrize("broker", HANDED_OUT_AGAIN)
def test_a_broker_hands_out_again_what_no_sidecar_is_trying_any_more(broker: str) -> None:
    attempt, pause, retries = policies()
    setting = HANDED_OUT_AGAIN[broker]
    if setting is not None:
        assert duration(metadata(broker)[setting]) > retries * pause + attempt
    elif broker == "rabbitmq":
        assert retries * (pause + attempt) + attempt < CONSUMER_TIMEOUT


def test_a_service_that_hangs_sends_nothing_to_the_undelivered_of_sqs() -> None:
    attempt, pause, retries = policies()
    queue = metadata("snssqs")
    hangs = retries * (pause + attempt) + attempt
    received = 1 + hangs / duration(queue["messageVisibilityTimeout"])
    assert received < int(queue["messageReceiveLimit"]) <= int(queue["messageRetryLimit"])


def test_a_stream_takes_a_message_for_a_repetition_for_less_than_a_pause() -> None:
    _, pause, _ = policies()
    assert timedelta(seconds=streams.DUPLICATES_SECONDS) < pause


@pytest.mark.parametrize("broker", HANDED_OUT_AGAIN)
def test_the_inbox_remembers_for_as_long_as_the_documents_ask(broker: str) -> None:
    least = documented_minimum(ROOT / "docs" / "brokers.md", broker)
    assert least <= default("inbox_ttl_seconds")
    if broker == "jetstream":
        assert least == timedelta(seconds=streams.KEPT_SECONDS)


def documented_minimum(file: Path, broker: str) -> timedelta:
    """In days, in the last column of the broker's row of the table about INBOX_TTL_SECONDS."""
    (table,) = re.findall(r"^\|.*`INBOX_TTL_SECONDS`.*\n(?:\|.*\n)+", file.read_text(), re.M)
    (row,) = [line for line in table.splitlines() if line.startswith(f"| {broker} |")]
    days = re.search(r"(\d+) days[^|]*\|$", row)
    assert days, row
    return timedelta(days=int(days[1]))
