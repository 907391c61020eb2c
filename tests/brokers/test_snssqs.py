from pathlib import Path

from tests.brokers.conformance import BrokerConformance
from tests.brokers.servers.moto import Moto


class TestSnsSqs(BrokerConformance):
    broker = "snssqs"
    too_large = 300_000

    @classmethod
    def make_server(cls, folder: Path, workspace: Path) -> Moto:
        return Moto(folder)
