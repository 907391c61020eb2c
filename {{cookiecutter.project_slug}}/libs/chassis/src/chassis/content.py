"""What the sender of a message said, small enough to be kept beside the message's id."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from heapq import nsmallest
from itertools import chain
from typing import Any
from zlib import crc32

#: Fields of one message that are compared. Of a larger one the same sample each time.
MAX_FIELDS = 256

#: A digest of each field's value, by a digest of the field's path.
Content = dict[str, str]


def content_of(type_: str, data: Mapping[str, Any]) -> Content:
    """The digests of a message's name and fields, of its version not."""
    fields = chain([("type", type_.rpartition(".v")[0] or type_)], _fields("data", data))
    digests = ((_digest(path), _digest(f"{path}={value!r}")) for path, value in fields)
    # Never all of them at once: a sender decides how many there are.
    return dict(nsmallest(MAX_FIELDS, digests))


def contradicts(one: Content, other: Content) -> bool:
    """Whether a field that both have differs.

    A field that only one of them has does not count: between two attempts of a sender an upgrade
    may have added or dropped it.
    """
    return any(other.get(path, value) != value for path, value in one.items())


def exactly(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same data, which contradicts any other data, more or fewer fields included."""
    said = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return {**data, "said": sha256(said.encode()).hexdigest()}


def _fields(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _fields(f"{path}.{name}", each)
    elif isinstance(value, (list, tuple)):
        yield f"{path}.length", len(value)
        for position, each in enumerate(value):
            yield from _fields(f"{path}.{position}", each)
    else:
        yield path, value


def _digest(text: str) -> str:
    return format(crc32(text.encode(errors="surrogatepass")), "x")
