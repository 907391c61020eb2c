import pytest

from chassis.errors import Undone
from contracts.orders import ReleaseStock, ReserveStock, StockReleased, StockReserved
from inventory.commands import commands
from inventory.domain import Stock
from testkit import Harness
from tests.examples import ORDER_ID, order_of

RESERVE = ReserveStock(order_id=ORDER_ID, order=order_of({"TEA": 3}))
RELEASE = ReleaseStock(order_id=ORDER_ID)


@pytest.fixture
def inventory() -> Harness:
    inventory = Harness(commands, source="inventory")
    inventory.store.put("stock:TEA", Stock(received=5))
    return inventory


async def test_reserving_is_answered_with_the_order(inventory: Harness) -> None:
    assert await inventory.handle(RESERVE) == [
        StockReserved(order_id=ORDER_ID, order=RESERVE.order)
    ]


async def test_asking_again_gets_the_same_answer_whatever_the_id(inventory: Harness) -> None:
    first = await inventory.handle(RESERVE, id="1")
    assert await inventory.handle(RESERVE, id="1") == first
    assert await inventory.handle(RESERVE, id="2") == first
    assert inventory.store.get("stock:TEA", Stock) == Stock(received=5, reserved=3)


async def test_a_rejection_stands_even_if_goods_come_in_later(inventory: Harness) -> None:
    inventory.store.put("stock:TEA", Stock(received=2))
    first = await inventory.handle(RESERVE)
    inventory.store.put("stock:TEA", Stock(received=100))
    assert await inventory.handle(RESERVE) == first


async def test_releasing_gives_the_stock_back_once(inventory: Harness) -> None:
    await inventory.handle(RESERVE)
    for _ in range(2):
        assert await inventory.handle(RELEASE) == [StockReleased(order_id=ORDER_ID)]
    assert inventory.store.get("stock:TEA", Stock) == Stock(received=5)


async def test_a_reservation_that_its_release_overtook_is_refused(inventory: Harness) -> None:
    assert await inventory.handle(RELEASE) == [StockReleased(order_id=ORDER_ID)]
    with pytest.raises(Undone, match="was undone before it came"):
        await inventory.handle(RESERVE)
    assert inventory.store.get("stock:TEA", Stock) == Stock(received=5)
