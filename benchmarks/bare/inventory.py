from chain import Order, service


def keys(order: Order) -> list[str]:
    return [f"reservation-{order['order_id']}", f"stock-{order['lines'][0]['sku']}"]


app = service({"order-placed": (keys, "stock-reserved")})
