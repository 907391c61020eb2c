import json
from collections.abc import Callable

import pytest
from pydantic import BaseModel, ValidationError

from chassis.text import MAX_ERRORS, MAX_LISTED, cut, cut_in_the_middle, why_invalid

HOSTILE = [
    "a" * 9_000,
    "\x00" * 9_000,
    "é" * 9_000,
    "\U0001f600" * 9_000,
    "\ud800" * 9_000,
    '"\\' * 9,
]


class Line(BaseModel):
    quantity: int


class Basket(BaseModel):
    lines: list[Line]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize("shorten", [cut, cut_in_the_middle])
@pytest.mark.parametrize("limit", [20, 300, 5_000])
def test_a_text_takes_no_more_bytes_in_json_than_it_may(
    shorten: Callable[[str, int], str], text: str, limit: int
) -> None:
    assert len(json.dumps(shorten(text, limit))) - 2 <= limit
    assert shorten(text, limit).encode()


def test_a_text_that_fits_is_left_as_it_is() -> None:
    for text in ("", "hello", "é\n", "x" * 50):
        assert cut(text, 50) == cut_in_the_middle(text, 50) == text


def test_a_cut_text_says_that_it_is_cut() -> None:
    assert cut("a" * 100, 50).endswith("a…")


def test_of_a_traceback_the_end_stays_too() -> None:
    text = cut_in_the_middle(f"Traceback{'.' * 9_000}ValueError: no", 500)
    assert (text[:9], text[-14:]) == ("Traceback", "ValueError: no")


def invalid(lines: int) -> ValidationError:
    with pytest.raises(ValidationError) as raised:
        Basket.model_validate({"lines": [{}] * lines})
    return raised.value


def test_errors_are_few_and_counted() -> None:
    text = why_invalid(invalid(50))
    assert text.startswith("lines.0.quantity: Field required; lines.1.quantity: Field required")
    assert text.count("Field required") == MAX_ERRORS
    assert text.endswith("; and 45 more")
    assert why_invalid(invalid(1)) == "lines.0.quantity: Field required"


def test_of_very_many_errors_none_is_listed() -> None:
    assert why_invalid(invalid(MAX_LISTED + 1)) == f"{MAX_LISTED + 1} values are not valid"
