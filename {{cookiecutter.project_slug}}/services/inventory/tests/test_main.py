from chassis.testing import running
from inventory.main import app, service


async def test_inventory_hears_of_just_these_topics() -> None:
    async with running(service) as client:
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
    assert sorted(path for path in app.openapi()["paths"] if path.startswith("/commands")) == [
        "/commands/release-stock",
        "/commands/reserve-stock",
    ]
