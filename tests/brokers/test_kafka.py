from pathlib import Path

from tests.brokers.conformance import BrokerConformance
from tests.brokers.servers.kafka import Kafka


class TestKafka(BrokerConformance):
    broker = "kafka"
    too_large = 1_200_000
    keeps_order_of_a_key = True

    @classmethod
    def make_server(cls, folder: Path, workspace: Path) -> Kafka:
        return Kafka(folder)
