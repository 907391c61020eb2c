import pytest

from payments.domain import Card, InsufficientCredit, Payment, Status, capture, refund
from tests.examples import ORDER_ID


def test_a_card_may_be_charged_up_to_its_limit_and_not_one_cent_more() -> None:
    assert Card(limit_cents=500, charged_cents=200).charge(300).available_cents == 0
    with pytest.raises(InsufficientCredit, match="301 to pay, 300 available"):
        Card(limit_cents=500, charged_cents=200).charge(301)


def test_more_than_was_charged_cannot_be_refunded() -> None:
    with pytest.raises(ValueError, match="201 to refund, 200 charged"):
        Card(limit_cents=500, charged_cents=200).refund(201)


def test_a_refund_restores_the_card() -> None:
    card = Card(limit_cents=500, charged_cents=200)
    assert card.charge(300).refund(300) == card


def test_a_capture_charges_the_card() -> None:
    card, payment = capture(Card(limit_cents=500), ORDER_ID, "card-ada", 300)
    assert card.charged_cents == 300
    assert payment == Payment(ORDER_ID, Status.CAPTURED, "card-ada", 300)


def test_a_capture_beyond_the_limit_is_declined_and_charges_nothing() -> None:
    card, payment = capture(Card(limit_cents=500), ORDER_ID, "card-ada", 501)
    assert card == Card(limit_cents=500)
    assert (payment.status, payment.amount_cents) == (Status.DECLINED, 0)
    assert "card-ada has insufficient credit: 501 to pay, 500 available" in payment.reason


def test_a_refund_keeps_what_was_paid_on_record() -> None:
    card, payment = capture(Card(limit_cents=500), ORDER_ID, "card-ada", 300)
    card, refunded = refund(card, payment)
    assert card == Card(limit_cents=500)
    assert (refunded.status, refunded.amount_cents) == (Status.REFUNDED, 300)


def test_a_refund_of_a_declined_payment_pays_nothing() -> None:
    card, payment = capture(Card(limit_cents=500, charged_cents=200), ORDER_ID, "card-ada", 301)
    assert refund(card, payment)[0] == card
