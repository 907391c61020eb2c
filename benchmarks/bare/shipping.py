from chain import Order, service


def keys(order: Order) -> list[str]:
    return [f"shipment-{order['order_id']}"]


app = service({"payment-captured": (keys, "shipment-dispatched")})
