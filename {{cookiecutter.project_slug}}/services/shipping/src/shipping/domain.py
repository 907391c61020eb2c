"""Shipments. Pure: no Dapr, no FastAPI, no clock, no I/O."""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

from contracts.orders import Country, OrderId


class Status(StrEnum):
    DISPATCHED = "dispatched"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Shipment:
    order_id: OrderId
    status: Status
    country: Country
    tracking: str = ""
    reason: str = ""


def dispatch(order_id: OrderId, country: Country, served: Set[Country]) -> Shipment:
    """Hand the order to a carrier, if one goes to that country."""
    if country not in served:
        return Shipment(order_id, Status.FAILED, country, reason=f"no carrier serves {country}")
    return Shipment(order_id, Status.DISPATCHED, country, tracking=f"{country}-{order_id.hex[:12]}")
