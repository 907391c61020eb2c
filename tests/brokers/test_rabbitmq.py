from pathlib import Path

from tests.brokers.conformance import BrokerConformance
from tests.brokers.servers.rabbitmq import RabbitMQ


class TestRabbitMQ(BrokerConformance):
    broker = "rabbitmq"
    # This daprd reports success for a publish that the broker did not confirm.
    lost_by_a_kill = 1
    # Two subscriptions that reconnect at once disturb each other on one channel, and hang.
    sidecar_outlives_broker = False

    @classmethod
    def make_server(cls, folder: Path, workspace: Path) -> RabbitMQ:
        return RabbitMQ(folder)
