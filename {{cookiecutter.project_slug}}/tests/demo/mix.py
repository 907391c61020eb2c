"""The orders of a demo: most succeed, and every tenth fails for each of the three reasons."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

UNIT_PRICE_CENTS = 250
# Above what payments lets a card be charged in all.
TOO_EXPENSIVE_CENTS = 5_000_00
NOT_SERVED = "AQ"


class Kind(StrEnum):
    GOOD = "good"
    NO_STOCK = "no stock"
    NO_CREDIT = "no credit"
    NO_CARRIER = "no carrier"


@dataclass(frozen=True)
class Plan:
    """One order to send, and how it must end. `key` is its Idempotency-Key."""

    key: str
    kind: Kind
    style: str
    body: dict[str, Any]

    @property
    def total_cents(self) -> int:
        return sum(line["quantity"] * line["unit_price_cents"] for line in self.body["lines"])


@dataclass(frozen=True)
class Shelf:
    """The SKUs of one run, which no other run uses, so that what is counted is this run's."""

    run: str

    @property
    def plenty(self) -> tuple[str, ...]:
        return tuple(f"{self.run}-{letter}" for letter in "ABCDE")

    @property
    def empty(self) -> str:
        return f"{self.run}-EMPTY"


def plan(run: str, style: str, count: int) -> list[Plan]:
    shelf = Shelf(run)
    return [_one(shelf, style, number) for number in range(count)]


def _one(shelf: Shelf, style: str, number: int) -> Plan:
    kind = {3: Kind.NO_STOCK, 6: Kind.NO_CREDIT, 9: Kind.NO_CARRIER}.get(number % 10, Kind.GOOD)
    plenty = shelf.plenty
    skus = [plenty[number % len(plenty)], plenty[(number + 1) % len(plenty)]]
    if kind is Kind.NO_STOCK:
        skus[1] = shelf.empty
    price = TOO_EXPENSIVE_CENTS if kind is Kind.NO_CREDIT else UNIT_PRICE_CENTS
    name = f"{shelf.run}-{style}-{number}"
    body = {
        "style": style,
        "customer": name,
        "card": name,
        "country": NOT_SERVED if kind is Kind.NO_CARRIER else "NL",
        "lines": [
            {"sku": sku, "quantity": 1 + number % 3, "unit_price_cents": price} for sku in skus
        ],
    }
    return Plan(name, kind, style, body)
