import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from tests.brokers.conformance import DELIVERY_SECONDS, BrokerConformance
from tests.brokers.servers.moto import Moto
from tests.brokers.servers.server import Server
from tests.brokers.sidecars import Probe
from tests.waiting import wait_until

#: A service of dapr.yaml, for the command looks at the queues of those.
SERVICE = "orders"


class TestSnsSqs(BrokerConformance):
    broker = "snssqs"
    too_large = 300_000

    @classmethod
    def make_server(cls, folder: Path, workspace: Path) -> Moto:
        return Moto(folder)

    def test_what_sqs_moved_aside_is_listed_and_replayed(
        self, installed: Path, server: Server, probe: Callable[..., Probe], app_id: str
    ) -> None:
        server.start_afresh()
        consumer = probe(SERVICE)
        consumer.stop()
        # Started meanwhile, for its last receive lasts a second longer than it does itself.
        probe(app_id).publish(key=SERVICE, number=1)
        give_up(server, SERVICE)
        subprocess.run(["make", "use", f"BROKER={self.broker}"], cwd=installed, check=True)

        for _ in range(2):
            assert "undelivered" in dead_letters(installed, server, "list")
        # A sidecar that starts receives before it knows its topics: then it would be 80 s.
        consumer.start()
        assert "1 of 1 replayed" in dead_letters(installed, server, "replay --all")
        assert "undelivered" not in dead_letters(installed, server, "list")
        wait_until("the message", lambda: consumer.numbers() == [1], DELIVERY_SECONDS)


def give_up(server: Server, service: str) -> None:
    """Receive all in the queue of the service, and take nothing, until SQS moves it aside."""
    environment = server.environment
    sqs: Any = boto3.client(
        "sqs",
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL"],
    )
    queue = sqs.get_queue_url(QueueName=service)["QueueUrl"]

    def is_empty() -> bool:
        return "Messages" not in sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)

    wait_until("it to arrive", lambda: not is_empty(), DELIVERY_SECONDS)
    wait_until("SQS to move it", is_empty, DELIVERY_SECONDS)


def dead_letters(workspace: Path, server: Server, arguments: str) -> str:
    """What `make dead-letters` says of the service; that this one is down is its exit code."""
    done = subprocess.run(
        ["make", "dead-letters", f"ARGS={arguments} --service {SERVICE}"],
        cwd=workspace,
        env={**os.environ, **server.environment, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert f"{SERVICE} does not answer" in done.stderr, done.stdout + done.stderr
    return done.stdout
