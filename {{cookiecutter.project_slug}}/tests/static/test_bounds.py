"""No list that a sender fills costs more than it should."""

from typing import Annotated

from pydantic import BaseModel, FailFast, Field

from testkit import bounds
from workspace import members


def test_every_list_of_a_message_or_a_body_has_an_end_and_fails_fast() -> None:
    wrong = bounds.problems(members.services())
    assert not wrong, "\n".join(wrong)


class Line(BaseModel):
    name: str


class Lines(BaseModel):
    bounded: Annotated[tuple[Line, ...], FailFast(), Field(max_length=50)]
    pair: tuple[int, int]
    endless: list[Line]
    slow: list[Line] = Field(max_length=50)
    named: dict[str, Line]


def test_a_list_without_an_end_is_named_with_what_it_lacks() -> None:
    assert list(bounds.of(Lines)) == [
        "Lines.endless: a list without max_length and FailFast()",
        "Lines.slow: a list without FailFast()",
        "Lines.named: a dict without max_length",
    ]
