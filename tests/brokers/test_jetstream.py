from pathlib import Path

from tests.brokers.conformance import BrokerConformance
from tests.brokers.servers.nats import Nats


class TestJetStream(BrokerConformance):
    broker = "jetstream"
    too_large = 1_200_000

    @classmethod
    def make_server(cls, folder: Path, workspace: Path) -> Nats:
        return Nats(folder, workspace)
