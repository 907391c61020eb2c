from chain import Order, service


def keys(order: Order) -> list[str]:
    return [f"payment-{order['order_id']}", f"card-{order['card']}"]


app = service({"stock-reserved": (keys, "payment-captured")})
