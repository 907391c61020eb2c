"""What the lists and texts of an order cost a service that is sent too much."""

import pytest
from pydantic import BaseModel, ValidationError

from contracts.orders import CapturePayment, OrderCancelled, OrderPlaced
from tests.examples import ORDER_ID


@pytest.mark.parametrize("message", [OrderPlaced, CapturePayment])
def test_a_quarter_of_a_million_empty_lines_are_a_few_errors(message: type[BaseModel]) -> None:
    with pytest.raises(ValidationError) as raised:
        message.model_validate({"order_id": str(ORDER_ID), "order": {"lines": [{}] * 250_000}})
    assert raised.value.error_count() < 10


def test_a_long_reason_is_cut_and_does_not_fail_the_message() -> None:
    cancelled = OrderCancelled(order_id=ORDER_ID, failed_step="payment", reason="no " * 1_000)
    assert len(cancelled.reason) == 500
    assert cancelled.reason.endswith("…")
