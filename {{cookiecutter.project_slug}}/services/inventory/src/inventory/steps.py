"""What inventory does when it is asked, whatever the style: load, decide, put, answer."""

from collections.abc import Iterable, Mapping

from chassis import Transaction
from contracts.orders import (
    OrderId,
    ReleaseStock,
    ReserveStock,
    Sku,
    StockRejected,
    StockReleased,
    StockReserved,
)
from inventory import domain
from inventory.domain import Reservation, Status, Stock


def stock_key(sku: Sku) -> str:
    return f"stock:{sku}"


def reservation_key(order_id: OrderId) -> str:
    return f"reservation:{order_id}"


async def reserve_stock(command: ReserveStock, tx: Transaction) -> StockReserved | StockRejected:
    order_id, quantities = command.order_id, command.order.quantities
    await tx.fetch(reservation_key(order_id), *map(stock_key, quantities))
    held = await tx.get(reservation_key(order_id), Reservation)
    # Idempotent by order too: what was decided for it stands.
    if held is None:
        stock = await _stock(quantities, tx)
        stock_left, held = domain.reserve(stock, order_id, quantities)
        _put(stock_left, held, tx)
    if held.status is Status.RESERVED:
        return StockReserved(order_id=order_id, order=command.order)
    return StockRejected(order_id=order_id, reason=held.reason)


async def release_stock(command: ReleaseStock, tx: Transaction) -> StockReleased:
    order_id = command.order_id
    held = await tx.get(reservation_key(order_id), Reservation)
    if held is not None:
        stock = await _stock(held.quantities, tx)
        _put(*domain.release(stock, held), tx)
    return StockReleased(order_id=order_id)


async def _stock(skus: Iterable[Sku], tx: Transaction) -> dict[Sku, Stock]:
    keys = {stock_key(sku): sku for sku in skus}
    found = await tx.get_all(list(keys), Stock)
    return {sku: found[key] or Stock() for key, sku in keys.items()}


def _put(stock: Mapping[Sku, Stock], reservation: Reservation, tx: Transaction) -> None:
    for sku, left in stock.items():
        tx.put(stock_key(sku), left)
    tx.put(reservation_key(reservation.order_id), reservation)
