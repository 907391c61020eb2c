"""For tests: an order, of which a test names only what it is about."""

from uuid import UUID

from contracts.orders import OrderDetails, OrderLine

ORDER_ID = UUID("00000000-0000-4000-8000-000000000001")


def order_of(
    quantities: dict[str, int] | None = None,
    *,
    unit_price_cents: int = 100,
    card: str = "card-ada",
    country: str = "NL",
) -> OrderDetails:
    lines = [
        OrderLine(sku=sku, quantity=quantity, unit_price_cents=unit_price_cents)
        for sku, quantity in (quantities or {"TEA": 1}).items()
    ]
    return OrderDetails(customer="ada", card=card, country=country, lines=tuple(lines))
