from chassis.testing import memory_ports, running
from orders.main import compose


async def test_orders_hear_of_just_these_topics() -> None:
    async with running(compose(memory_ports())) as client:
        subscriptions = (await client.get("/dapr/subscribe")).json()
    assert sorted(subscription["topic"] for subscription in subscriptions) == [
        "order-placed",
        "orders-dead-letters",
        "orders-replies",
        "payment-captured",
        "payment-declined",
        "payment-refunded",
        "shipment-dispatched",
        "shipment-failed",
        "stock-rejected",
        "stock-released",
        "stock-reserved",
    ]
