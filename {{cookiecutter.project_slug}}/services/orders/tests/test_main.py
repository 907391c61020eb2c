import httpx

from orders.main import app


async def test_orders_hear_of_just_these_topics() -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        subscriptions = (await client.get("/dapr/subscribe")).json()
    assert sorted(subscription["topic"] for subscription in subscriptions) == [
        "order-placed",
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
