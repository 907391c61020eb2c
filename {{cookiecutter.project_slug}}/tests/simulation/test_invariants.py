"""Each invariant on a ledger in which just one thing is wrong."""

from dataclasses import replace
from typing import Any

import pytest

from tests.invariants import Ledger, Message, Order, Payment, Reservation, Stock, violations

ORDER = Order(
    id="o",
    card="c",
    total_cents=200,
    wanted={"TEA": 2},
    state="confirmed",
    seconds=1.0,
    ends=("OrderConfirmed",),
)
PUBLISHED = frozenset({Message("inventory", "order-placed", "m", "o")})
GOOD = Ledger(
    deadline=60,
    orders={"o": ORDER},
    reservations={"o": Reservation("reserved", {"TEA": 2})},
    payments={"o": Payment("captured", 200)},
    shipments={"o": 1},
    stock={"TEA": Stock(10, 2)},
    cards={"c": 200},
    goods={"TEA": 10},
    published=PUBLISHED,
    processed=PUBLISHED,
)


def test_a_ledger_in_which_all_is_well_violates_nothing() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"stock": {"TEA": Stock(10, 3)}}, "I1: TEA: 3 reserved, but orders hold 2"),
        ({"goods": {"TEA": 12}}, "I1: TEA: 10 received, but 12 came in"),
        ({"stock": {"TEA": Stock(1, 2)}, "goods": None}, "I1: TEA: 2 reserved of 1 received"),
        (
            {"reservations": {}, "stock": {}},
            "I1: order o is confirmed and holds {}, not {'TEA': 2}",
        ),
        (
            {"orders": {"o": replace(ORDER, seconds=61.0)}},
            "I2: order o took 61 s to its end, its deadline was 60 s",
        ),
        ({"cards": {"c": 400}}, "I3: card c is charged 400 cents, its orders come to 200 cents"),
        ({"shipments": {"o": 2}}, "I4: order o was shipped 2 times"),
        ({"shipments": {}}, "I4: order o is confirmed, and was not shipped"),
        (
            {"orders": {"o": replace(ORDER, ends=("OrderConfirmed", "OrderCancelled"))}},
            "I5: order o is confirmed, and OrderConfirmed and OrderCancelled was published",
        ),
        (
            {"processed": frozenset()},
            "I6: order-placed m of order o: inventory has neither processed nor dead-lettered it",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_numbers(wrong: dict[str, Any], line: str) -> None:
    assert violations(replace(GOOD, **wrong)) == [line]


def test_an_order_that_was_paid_back_must_not_be_shipped() -> None:
    ledger = replace(GOOD, payments={"o": Payment("refunded", 200)})
    assert violations(ledger) == [
        "I3: order o is confirmed, and its payment is 0 cents net",
        "I4: order o was shipped, and its payment is refunded",
    ]


def test_an_order_that_never_ends_is_in_flight_for_ever() -> None:
    order = replace(ORDER, state="placed", seconds=None, ends=())
    ledger = replace(GOOD, orders={"o": order})
    assert violations(ledger) == [
        "I2: order o was accepted, and is placed",
        "I6: order o has begun, and is in flight for ever: placed",
    ]


def test_a_message_that_is_a_dead_letter_is_settled() -> None:
    assert violations(replace(GOOD, processed=frozenset(), dead_letters=PUBLISHED)) == []
