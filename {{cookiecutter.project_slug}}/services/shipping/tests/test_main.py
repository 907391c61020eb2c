from chassis.testing import running
from shipping.main import app, service


async def test_shipping_hears_of_just_these_topics() -> None:
    async with running(service) as client:
        subscriptions = (await client.get("/dapr/subscribe")).json()
    assert sorted(subscription["topic"] for subscription in subscriptions) == [
        "dispatch-shipment",
        "payment-captured",
        "shipping-dead-letters",
    ]


def test_shipping_can_be_asked_by_service_invocation() -> None:
    assert sorted(path for path in app.openapi()["paths"] if path.startswith("/commands")) == [
        "/commands/dispatch-shipment",
    ]
