from shipping.domain import Status, dispatch
from tests.examples import ORDER_ID


def test_an_order_to_a_served_country_is_dispatched_with_a_tracking_code() -> None:
    shipment = dispatch(ORDER_ID, "NL", {"NL", "BE"})
    assert shipment.status is Status.DISPATCHED
    assert shipment.tracking.startswith("NL-")


def test_an_order_to_any_other_country_fails_with_a_reason() -> None:
    shipment = dispatch(ORDER_ID, "AQ", {"NL", "BE"})
    assert (shipment.status, shipment.tracking) == (Status.FAILED, "")
    assert shipment.reason == "no carrier serves AQ"
