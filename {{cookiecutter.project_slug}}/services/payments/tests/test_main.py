from payments.main import compose
from testkit import memory_ports, running


async def test_payments_subscribes_to_just_these_topics() -> None:
    async with running(compose(memory_ports())) as client:
        subscriptions = (await client.get("/dapr/subscribe")).json()
    assert sorted(subscription["topic"] for subscription in subscriptions) == [
        "capture-payment",
        "payments-dead-letters",
        "refund-payment",
        "shipment-failed",
        "stock-reserved",
    ]


def test_payments_can_be_asked_by_service_invocation() -> None:
    paths = compose(memory_ports()).app.openapi()["paths"]
    assert sorted(path for path in paths if path.startswith("/commands")) == [
        "/commands/capture-payment",
        "/commands/refund-payment",
    ]
