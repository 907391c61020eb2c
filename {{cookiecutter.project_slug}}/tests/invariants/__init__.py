"""What must hold of all orders, whatever failed: simulation, fault suite and demo share it."""

from tests.invariants.ledger import Ledger, Message, Order, Payment, Reservation, Stock
from tests.invariants.rules import all_styles_agree, violations

__all__ = [
    "Ledger",
    "Message",
    "Order",
    "Payment",
    "Reservation",
    "Stock",
    "all_styles_agree",
    "violations",
]
