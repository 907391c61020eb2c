"""Values that messages carry. Money is whole cents; an id is safe inside a state key or a topic."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

OrderId = UUID
Sku = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$", examples=["TEA-GREEN"])]
CustomerId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$", examples=["ada"])]
CardId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$", examples=["card-ada"])]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["NL"])]
Quantity = Annotated[int, Field(ge=1, le=10_000)]
Cents = Annotated[int, Field(ge=0, le=100_000_000)]


class Value(BaseModel):
    """Base of the published language: immutable, and a tolerant reader of newer producers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class OrderLine(Value):
    sku: Sku
    quantity: Quantity
    unit_price_cents: Cents


class OrderDetails(Value):
    """What was bought, who pays with which card, and where it goes."""

    customer: CustomerId
    card: CardId
    country: Country
    lines: tuple[OrderLine, ...] = Field(min_length=1, max_length=50)

    @property
    def total_cents(self) -> int:
        return sum(line.quantity * line.unit_price_cents for line in self.lines)

    @property
    def quantities(self) -> dict[str, int]:
        """Units wanted of each SKU, sorted by SKU; two lines of one SKU add up."""
        wanted: dict[str, int] = {}
        for line in self.lines:
            wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
        return dict(sorted(wanted.items()))
