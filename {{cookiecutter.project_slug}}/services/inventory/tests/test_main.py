import httpx

from inventory.main import app


async def test_inventory_hears_of_just_these_topics() -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://inventory") as client:
        subscriptions = (await client.get("/dapr/subscribe")).json()
    assert sorted(subscription["topic"] for subscription in subscriptions) == [
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
