"""What shipping does when it is asked, whatever the style: load, decide, put, answer."""

from chassis import Transaction
from contracts.orders import DispatchShipment, OrderId, ShipmentDispatched, ShipmentFailed
from shipping import domain
from shipping.domain import Shipment, Status
from shipping.settings import settings


def shipment_key(order_id: OrderId) -> str:
    return f"shipment:{order_id}"


async def dispatch_shipment(
    command: DispatchShipment, tx: Transaction
) -> ShipmentDispatched | ShipmentFailed:
    order_id = command.order_id
    shipment = await tx.get(shipment_key(order_id), Shipment)
    # Idempotent by order too: what was decided for it stands.
    if shipment is None:
        shipment = domain.dispatch(order_id, command.order.country, settings.served_countries)
        tx.put(shipment_key(order_id), shipment)
    if shipment.status is Status.DISPATCHED:
        return ShipmentDispatched(
            order_id=order_id, country=shipment.country, tracking=shipment.tracking
        )
    return ShipmentFailed(order_id=order_id, reason=shipment.reason)
