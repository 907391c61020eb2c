from inventory.main import compose
from testkit import memory_ports, running


async def test_inventory_subscribes_to_just_these_topics() -> None:
    async with running(compose(memory_ports())) as client:
        subscriptions = (await client.get("/dapr/subscribe")).json()
    assert sorted(subscription["topic"] for subscription in subscriptions) == [
        "inventory-dead-letters",
        "order-placed",
        "payment-declined",
        "payment-refunded",
        "release-stock",
        "reserve-stock",
    ]


def test_inventory_can_be_asked_by_service_invocation() -> None:
    paths = compose(memory_ports()).app.openapi()["paths"]
    assert sorted(path for path in paths if path.startswith("/commands")) == [
        "/commands/release-stock",
        "/commands/reserve-stock",
    ]
