from pathlib import Path

from tests.brokers.conformance import BrokerConformance
from tests.brokers.servers import Valkey


class TestRedis(BrokerConformance):
    broker = "redis"

    @classmethod
    def make_server(cls, folder: Path, workspace: Path) -> Valkey:
        return Valkey(folder, workspace)
