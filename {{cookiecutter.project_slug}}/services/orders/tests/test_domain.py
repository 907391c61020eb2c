import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from orders.domain import NEEDS_HUMAN_AFTER, Order, Retry, State, Style

from contracts import (
    Event,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    ShipmentDispatched,
    ShipmentFailed,
    StockRejected,
    StockReleased,
    StockReserved,
)
from contracts.testing import ORDER_ID, order_of

DETAILS = order_of()
NOW = datetime(2030, 1, 1, tzinfo=UTC)

PLACED = OrderPlaced(order_id=ORDER_ID, order=DETAILS)
RESERVED = StockReserved(order_id=ORDER_ID, order=DETAILS)
REJECTED = StockRejected(order_id=ORDER_ID, reason="no tea")
RELEASED = StockReleased(order_id=ORDER_ID)
CAPTURED = PaymentCaptured(order_id=ORDER_ID, order=DETAILS, amount_cents=100)
DECLINED = PaymentDeclined(order_id=ORDER_ID, reason="no credit")
REFUNDED = PaymentRefunded(order_id=ORDER_ID, amount_cents=100)
DISPATCHED = ShipmentDispatched(order_id=ORDER_ID, country="NL", tracking="NL-1")
FAILED = ShipmentFailed(order_id=ORDER_ID, reason="no carrier")

CAPTURING = Retry("CapturePayment", "payments", 1, NOW, "HTTP 503")
RELEASING = Retry("ReleaseStock", "inventory", 3, NOW, "HTTP 503")

#: All that an order can go through, and how it ends.
COURSES: list[tuple[list[Event], OrderConfirmed | OrderCancelled]] = [
    ([RESERVED, CAPTURED, DISPATCHED], OrderConfirmed(order_id=ORDER_ID)),
    (
        [REJECTED],
        OrderCancelled(order_id=ORDER_ID, failed_step="StockRejected", reason="no tea"),
    ),
    (
        [RESERVED, DECLINED, RELEASED],
        OrderCancelled(order_id=ORDER_ID, failed_step="PaymentDeclined", reason="no credit"),
    ),
    (
        [RESERVED, CAPTURED, FAILED, REFUNDED, RELEASED],
        OrderCancelled(order_id=ORDER_ID, failed_step="ShipmentFailed", reason="no carrier"),
    ),
]
each_course = pytest.mark.parametrize(
    ("course", "ending"), COURSES, ids=["confirmed", "no stock", "not paid", "not shipped"]
)


def heard(events: Iterable[tuple[Event, datetime]]) -> Order:
    """The order after these events, ended as soon as its end is known."""
    order = Order(ORDER_ID)
    for event, at in events:
        if isinstance(event, OrderPlaced):
            order = order.place(Style.CHOREOGRAPHY, event.order, at)
        else:
            order = order.record(event, at)
        ending = order.ending()
        if ending is not None:
            order = order.end(ending, NOW)
    return order


@each_course
def test_an_order_is_the_same_in_whatever_order_its_events_arrive(
    course: list[Event], ending: OrderConfirmed | OrderCancelled
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    clock = random.Random(seed)
    # Few different times, so that some are the same.
    timed = [(event, NOW + timedelta(seconds=clock.randrange(3))) for event in [PLACED, *course]]
    expected = heard(timed)
    assert all(heard(arrival) == expected for arrival in permutations(timed))


@each_course
def test_an_order_ends_once_all_is_known(
    course: list[Event], ending: OrderConfirmed | OrderCancelled
) -> None:
    *before, last = course
    order = Order(ORDER_ID)
    for event in before:
        order = order.record(event, NOW)
        assert order.ending() is None
    assert order.record(last, NOW).ending() == ending


def test_a_failed_order_shows_the_step_the_reason_and_what_was_undone_in_order() -> None:
    course = [RESERVED, CAPTURED, FAILED, REFUNDED, RELEASED]
    order = heard((event, NOW + timedelta(seconds=n)) for n, event in enumerate(course))
    assert order.state is State.CANCELLED
    assert (order.failed_step, order.reason) == ("ShipmentFailed", "no carrier")
    assert order.undone == ("PaymentRefunded", "StockReleased")


def test_a_step_is_shown_when_it_happened_not_when_it_was_heard_of() -> None:
    order = heard([(CAPTURED, NOW + timedelta(seconds=1)), (RESERVED, NOW)])
    assert [step.event for step in order.steps] == ["StockReserved", "PaymentCaptured"]


def test_the_first_end_stands() -> None:
    confirmed = Order(ORDER_ID).end(OrderConfirmed(order_id=ORDER_ID), NOW)
    cancelled = OrderCancelled(order_id=ORDER_ID, failed_step="StockRejected", reason="no tea")
    assert confirmed.end(cancelled, NOW + timedelta(days=1)) == confirmed
    assert confirmed.record(REJECTED, NOW).ending() is None


def test_the_first_placing_stands() -> None:
    placed = Order(ORDER_ID).place(Style.CHOREOGRAPHY, DETAILS, NOW)
    assert placed.place(Style.HYBRID, order_of({"TEA": 9}), NOW + timedelta(days=1)) == placed


def test_an_order_that_is_placed_late_keeps_what_was_heard_before() -> None:
    order = Order(ORDER_ID).record(RESERVED, NOW)
    placed = order.place(Style.CHOREOGRAPHY, DETAILS, NOW)
    assert placed == replace(order, style=Style.CHOREOGRAPHY, details=DETAILS, placed_at=NOW)


class ShipmentDispatchedV1(Event):
    topic = "shipment-dispatched"
    version = 1


def test_each_version_of_an_event_is_the_same_step() -> None:
    order = heard([(ShipmentDispatchedV1(order_id=ORDER_ID), NOW)])
    assert order.state is State.CONFIRMED
    assert [step.event for step in order.steps] == ["ShipmentDispatched"]


def test_an_event_that_comes_again_and_again_is_one_step_the_earliest() -> None:
    order = Order(ORDER_ID)
    for seconds in random.sample(range(1_000), 1_000):
        order = order.record(RESERVED, NOW + timedelta(seconds=seconds))
    assert [(step.event, step.at) for step in order.steps] == [("StockReserved", NOW)]


def test_a_step_that_is_answered_is_not_tried_again() -> None:
    order = Order(ORDER_ID).retry([CAPTURING, RELEASING])
    assert order.record(DECLINED, NOW).retrying == (RELEASING,)


def test_a_retry_that_is_recorded_after_its_answer_is_left_out() -> None:
    assert Order(ORDER_ID).record(CAPTURED, NOW).retry([CAPTURING]).retrying == ()


def test_nothing_of_an_order_that_has_ended_is_tried_again() -> None:
    ended = Order(ORDER_ID).retry([CAPTURING]).end(OrderConfirmed(order_id=ORDER_ID), NOW)
    assert ended.retrying == ()
    assert ended.retry([CAPTURING]) == ended


def test_a_human_is_needed_after_a_while() -> None:
    assert not CAPTURING.needs_human(NOW + NEEDS_HUMAN_AFTER - timedelta(seconds=1))
    assert CAPTURING.needs_human(NOW + NEEDS_HUMAN_AFTER)


def test_a_human_is_needed_at_once_for_an_undo_that_is_refused() -> None:
    assert replace(RELEASING, refused=True).needs_human(NOW)
