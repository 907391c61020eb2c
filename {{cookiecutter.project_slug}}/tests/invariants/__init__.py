"""What must hold of all orders, whatever failed: simulation, fault suite and demo share it."""

from tests.invariants.books import Books, Message, Order, Payment, Reservation, Stock
from tests.invariants.rules import all_styles_agree, violations

__all__ = [
    "Books",
    "Message",
    "Order",
    "Payment",
    "Reservation",
    "Stock",
    "all_styles_agree",
    "violations",
]
