import pytest

from contracts.base import Event
from contracts.orders import (
    OrderPlaced,
    PaymentDeclined,
    PaymentRefunded,
    StockRejected,
    StockReleased,
    StockReserved,
)
from inventory import choreography
from inventory.domain import Stock
from testkit import Harness
from tests.examples import ORDER_ID, order_of

PLACED = OrderPlaced(order_id=ORDER_ID, order=order_of({"TEA": 3}))


@pytest.fixture
def inventory() -> Harness:
    inventory = Harness(choreography.events, source="inventory")
    inventory.store.put("stock:TEA", Stock(received=5))
    return inventory


async def test_a_placed_order_reserves_its_stock(inventory: Harness) -> None:
    assert await inventory.handle(PLACED) == [StockReserved(order_id=ORDER_ID, order=PLACED.order)]
    assert inventory.store.get("stock:TEA", Stock) == Stock(received=5, reserved=3)


async def test_a_placed_order_that_wants_too_much_is_rejected(inventory: Harness) -> None:
    greedy = OrderPlaced(order_id=ORDER_ID, order=order_of({"TEA": 6}))
    (rejected,) = await inventory.handle(greedy)
    assert isinstance(rejected, StockRejected)
    assert "TEA is out of stock" in rejected.reason


async def test_what_was_never_in_stock_is_rejected(inventory: Harness) -> None:
    exotic = OrderPlaced(order_id=ORDER_ID, order=order_of({"UNICORN": 1}))
    (rejected,) = await inventory.handle(exotic)
    assert isinstance(rejected, StockRejected)


async def test_an_event_that_comes_twice_reserves_once(inventory: Harness) -> None:
    first = await inventory.handle(PLACED, id="1")
    assert await inventory.handle(PLACED, id="1") == first
    assert inventory.store.get("stock:TEA", Stock) == Stock(received=5, reserved=3)


@pytest.mark.parametrize(
    "undone",
    [
        PaymentDeclined(order_id=ORDER_ID, reason="no credit"),
        PaymentRefunded(order_id=ORDER_ID, amount_cents=300),
    ],
)
async def test_an_order_that_is_not_paid_gives_its_stock_back(
    inventory: Harness, undone: Event
) -> None:
    await inventory.handle(PLACED)
    assert await inventory.handle(undone) == [StockReleased(order_id=ORDER_ID)]
    assert inventory.store.get("stock:TEA", Stock) == Stock(received=5)
