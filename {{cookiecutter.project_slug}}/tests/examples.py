"""For tests: an order, of which a test names only what it is about, and what may be in flight."""

from collections.abc import Iterator
from uuid import UUID

from contracts.messages import Command, Event, Message
from contracts.values import OrderDetails, OrderLine
from workspace.daprfile import ROOT

ORDER_ID = UUID("00000000-0000-4000-8000-000000000001")

IN_FLIGHT = ROOT / "contracts" / "in_flight.toml"


def messages(base: type[Message] = Message) -> Iterator[type[Message]]:
    """Every event and command of the contracts."""
    for message in base.__subclasses__():
        if message.__module__.startswith("contracts.") and message not in (Event, Command):
            yield message
        yield from messages(message)


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
