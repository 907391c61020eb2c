"""Stock and reservations. Pure: no Dapr, no FastAPI, no clock, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from contracts.orders import OrderId, Sku


@dataclass(frozen=True, slots=True)
class Stock:
    """Units of one SKU: `received` in all, of which `reserved` belong to orders."""

    received: int = 0
    reserved: int = 0

    @property
    def available(self) -> int:
        return self.received - self.reserved

    def receive(self, quantity: int) -> "Stock":
        return replace(self, received=self.received + quantity)

    def reserve(self, quantity: int) -> "Stock":
        if quantity > self.available:
            raise OutOfStock(f"{quantity} wanted, {self.available} available")
        return replace(self, reserved=self.reserved + quantity)

    def release(self, quantity: int) -> "Stock":
        if quantity > self.reserved:
            raise ValueError(f"{quantity} to release, {self.reserved} reserved")
        return replace(self, reserved=self.reserved - quantity)


class OutOfStock(Exception):
    """Less is available than an order wants."""


class Status(StrEnum):
    RESERVED = "reserved"
    REJECTED = "rejected"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one order holds: all that it wants, or nothing."""

    order_id: OrderId
    status: Status
    quantities: Mapping[Sku, int]
    reason: str = ""


def reserve(
    stock: Mapping[Sku, Stock], order_id: OrderId, quantities: Mapping[Sku, int]
) -> tuple[Mapping[Sku, Stock], Reservation]:
    """Everything that the order wants, or nothing: a part of an order is of no use."""
    reserved = dict(stock)
    for sku, quantity in quantities.items():
        try:
            reserved[sku] = stock[sku].reserve(quantity)
        except OutOfStock as shortage:
            reason = f"{sku} is out of stock: {shortage}"
            return stock, Reservation(order_id, Status.REJECTED, {}, reason)
    return reserved, Reservation(order_id, Status.RESERVED, quantities)


def release(
    stock: Mapping[Sku, Stock], held: Reservation
) -> tuple[Mapping[Sku, Stock], Reservation]:
    """Give back what the order holds; of an order that was rejected, nothing."""
    quantities = held.quantities if held.status is Status.RESERVED else {}
    released = {sku: stock[sku].release(quantity) for sku, quantity in quantities.items()}
    return {**stock, **released}, Reservation(held.order_id, Status.RELEASED, {})
