import pytest

from inventory.domain import OutOfStock, Status, Stock, release, reserve
from tests.examples import ORDER_ID

STOCK = {"COFFEE": Stock(received=1), "TEA": Stock(received=5, reserved=2)}


def test_available_is_what_came_in_and_is_not_reserved() -> None:
    assert Stock(received=5, reserved=2).available == 3
    assert Stock(received=5, reserved=2).receive(4).available == 7


def test_all_that_is_available_may_be_reserved_and_not_one_more() -> None:
    assert Stock(received=5, reserved=2).reserve(3).available == 0
    with pytest.raises(OutOfStock, match="4 wanted, 3 available"):
        Stock(received=5, reserved=2).reserve(4)


def test_more_than_is_reserved_cannot_be_released() -> None:
    with pytest.raises(ValueError, match="3 to release, 2 reserved"):
        Stock(received=5, reserved=2).release(3)


def test_an_order_reserves_all_that_it_wants() -> None:
    stock, reservation = reserve(STOCK, ORDER_ID, {"COFFEE": 1, "TEA": 3})
    assert stock == {"COFFEE": Stock(1, 1), "TEA": Stock(5, 5)}
    assert reservation.status is Status.RESERVED
    assert reservation.quantities == {"COFFEE": 1, "TEA": 3}


def test_an_order_reserves_nothing_when_one_thing_is_out_of_stock() -> None:
    stock, reservation = reserve(STOCK, ORDER_ID, {"COFFEE": 1, "TEA": 4})
    assert stock == STOCK
    assert reservation.status is Status.REJECTED
    assert reservation.quantities == {}
    assert reservation.reason == "TEA is out of stock: 4 wanted, 3 available"


def test_releasing_gives_back_what_was_reserved() -> None:
    reserved, held = reserve(STOCK, ORDER_ID, {"COFFEE": 1, "TEA": 3})
    stock, released = release(reserved, held)
    assert stock == STOCK
    assert released.status is Status.RELEASED


def test_releasing_twice_gives_back_once() -> None:
    reserved, held = reserve(STOCK, ORDER_ID, {"TEA": 3})
    once, released = release(reserved, held)
    twice, _ = release(once, released)
    assert twice == STOCK


def test_releasing_a_rejected_order_gives_back_nothing() -> None:
    stock, rejected = reserve(STOCK, ORDER_ID, {"TEA": 100})
    assert release(stock, rejected)[0] == STOCK
