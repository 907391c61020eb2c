from orders.main import compose
from testkit import memory_ports, running


async def test_orders_subscribe_to_just_these_topics() -> None:
    async with running(compose(memory_ports())) as client:
        subscriptions = (await client.get("/dapr/subscribe")).json()
    assert sorted(subscription["topic"] for subscription in subscriptions) == [
        "order-placed",
        "order-placed-replies",
        "orders-dead-letters",
        "payment-captured",
        "payment-declined",
        "payment-refunded",
        "shipment-dispatched",
        "shipment-failed",
        "stock-rejected",
        "stock-released",
        "stock-reserved",
    ]


def test_orders_are_fulfilled_in_all_styles() -> None:
    assert [runner.style for runner in compose(memory_ports()).sagas.runners] == [
        "choreography",
        "orchestration",
        "hybrid",
    ]
