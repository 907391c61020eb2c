"""No list that a sender fills costs more than it should."""

from typing import Annotated

import pytest
from pydantic import BaseModel, FailFast, Field, ValidationError

from contracts.orders import CapturePayment, OrderCancelled, OrderPlaced
from testkit import bounds
from tests.examples import ORDER_ID
from workspace import members


def test_every_list_of_a_message_or_a_body_has_an_end_and_fails_fast() -> None:
    wrong = bounds.problems(members.services())
    assert not wrong, "\n".join(wrong)


class Line(BaseModel):
    sku: str


class Lines(BaseModel):
    bounded: Annotated[tuple[Line, ...], FailFast(), Field(max_length=50)]
    pair: tuple[int, int]
    endless: list[Line]
    slow: list[Line] = Field(max_length=50)
    named: dict[str, Line]


def test_a_list_without_an_end_is_named_with_what_it_lacks() -> None:
    assert list(bounds.of(Lines)) == [
        "Lines.endless: a list without max_length and FailFast()",
        "Lines.slow: a list without FailFast()",
        "Lines.named: a dict without max_length",
    ]


@pytest.mark.parametrize("message", [OrderPlaced, CapturePayment])
def test_a_quarter_of_a_million_empty_lines_are_a_few_errors(message: type[BaseModel]) -> None:
    with pytest.raises(ValidationError) as raised:
        message.model_validate({"order_id": str(ORDER_ID), "order": {"lines": [{}] * 250_000}})
    assert raised.value.error_count() < 10


def test_a_long_reason_is_cut_and_does_not_fail_the_message() -> None:
    cancelled = OrderCancelled(order_id=ORDER_ID, failed_step="payment", reason="no " * 1_000)
    assert len(cancelled.reason) == 500
    assert cancelled.reason.endswith("…")
