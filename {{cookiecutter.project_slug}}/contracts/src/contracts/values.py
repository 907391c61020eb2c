"""Values that messages carry. Money is whole cents; an id is safe inside a state key or a topic.

Everything has an end: a text that is for people is cut, and a list fails with its first wrong item,
for pydantic makes an error of each.
"""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field

MAX_LINES = 50
#: Characters of a text for people: two sentences.
MAX_TEXT = 500


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


OrderId = UUID
Sku = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$", examples=["TEA-GREEN"])]
CustomerId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$", examples=["ada"])]
CardId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$", examples=["card-ada"])]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["NL"])]
Quantity = Annotated[int, Field(ge=1, le=10_000)]
# Nothing is decided by it, so a long one is no reason to refuse a message.
Text = Annotated[str, AfterValidator(_cut)]
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
    lines: Annotated[tuple[OrderLine, ...], FailFast(), Field(min_length=1, max_length=MAX_LINES)]

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
