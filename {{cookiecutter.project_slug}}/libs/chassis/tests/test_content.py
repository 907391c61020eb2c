"""What a sender said is compared field by field, so that its upgrade is no contradiction."""

from typing import Any

import pytest

from chassis.content import MAX_FIELDS, content_of, contradicts, exactly

BASKET: dict[str, Any] = {"basket": {"owner": "ada", "lines": [{"item": "TEA", "quantity": 2}]}}


def differ(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return contradicts(content_of("x.v1", one), content_of("x.v1", other))


def test_the_same_content_does_not_contradict_itself() -> None:
    assert not differ(BASKET, BASKET)


def test_the_order_of_fields_says_nothing() -> None:
    assert not differ({"a": 1, "b": 2}, {"b": 2, "a": 1})


@pytest.mark.parametrize(
    "upgraded",
    [
        {**BASKET, "gift": False},
        {"basket": {**BASKET["basket"], "note": None}},
        {"basket": {**BASKET["basket"], "lines": [{"item": "TEA", "quantity": 2, "unit": "kg"}]}},
    ],
)
def test_a_field_that_an_upgrade_adds_between_two_attempts_is_no_other_content(
    upgraded: dict[str, Any],
) -> None:
    assert not differ(BASKET, upgraded)
    assert not differ(upgraded, BASKET)


@pytest.mark.parametrize(
    "other",
    [
        {"basket": {**BASKET["basket"], "owner": "bob"}},
        {"basket": {**BASKET["basket"], "lines": []}},
        {"basket": {**BASKET["basket"], "lines": [{"item": "TEA", "quantity": 3}]}},
    ],
)
def test_a_field_with_another_value_is_other_content(other: dict[str, Any]) -> None:
    assert differ(BASKET, other)


def test_a_new_version_of_the_message_is_the_same_message() -> None:
    assert not contradicts(content_of("x.v1", BASKET), content_of("x.v2", BASKET))


def test_another_message_is_other_content() -> None:
    assert contradicts(content_of("x.v1", {}), content_of("y.v1", {}))


def test_a_large_message_is_remembered_by_a_sample_of_its_fields() -> None:
    large = {f"field-{n}": n for n in range(5_000)}
    assert len(content_of("x.v1", large)) == MAX_FIELDS
    assert not differ(large, {**large, "added": 1})
    assert differ(large, {name: value + 1 for name, value in large.items()})


def test_what_must_be_exactly_the_same_may_have_no_field_more() -> None:
    assert differ(exactly(BASKET), exactly({**BASKET, "style": "hybrid"}))
    assert not differ(exactly(BASKET), exactly(dict(BASKET)))
