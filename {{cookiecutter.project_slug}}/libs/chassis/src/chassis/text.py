"""Texts that others have a part in (a cause, a log line, an answer), cut to a bound in bytes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

#: Bytes of one cause, one detail, one reason: two screens of text.
MAX_TEXT = 2_000
#: Errors of one message or one body that are named: the first ones say what is wrong with it.
MAX_ERRORS = 5
#: Bytes of the place of one such error, which may be a key of the sender's, and of its reason.
MAX_WHERE, MAX_WHY = 150, 200
#: More errors than this are only counted, for pydantic makes a dict of each.
MAX_LISTED = 1_000

CUT = "…"


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """The text, or as much of its beginning as takes `limit` bytes in JSON."""
    head = _encodable(text[:limit])
    if len(text) <= limit and _size(head) <= limit:
        return head
    return _head(head, limit - _size(CUT)) + CUT


def cut_in_the_middle(text: str, limit: int) -> str:
    """The same with both ends of the text: the end of a traceback says what was raised."""
    if len(text) <= limit and _size(_encodable(text)) <= limit:
        return _encodable(text)
    end = _head(_encodable(text[-limit:])[::-1], limit // 2)[::-1]
    return cut(text, limit - _size(end)) + end


def why_invalid(error: ValidationError) -> str:
    """The first errors in one line, and how many there are."""
    count = error.error_count()
    if count > MAX_LISTED:
        return f"{count} values are not valid"
    found = error.errors(include_url=False, include_context=False, include_input=False)
    named = (": ".join(filter(None, each.values())) for each in first_errors(found))
    more = f"; and {count - MAX_ERRORS} more" if count > MAX_ERRORS else ""
    return "; ".join(named) + more


def first_errors(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Where and why, of the errors as pydantic lists them."""
    return [
        {
            "where": cut(".".join(map(str, each["loc"])), MAX_WHERE),
            "why": cut(each["msg"], MAX_WHY),
        }
        for each in errors[:MAX_ERRORS]
    ]


def _encodable(text: str) -> str:
    """A lone surrogate, which JSON can escape, is in no UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _head(text: str, room: int) -> str:
    for position, character in enumerate(text):
        room -= _size(character)
        if room < 0:
            return text[:position]
    return text


def _size(text: str) -> int:
    """Bytes in JSON at most: a control character takes six, one outside of ASCII up to twelve."""
    return len(json.dumps(text)) - 2
