"""Changes of a JSON document that a careless or hostile sender could make."""

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

#: What share of the texts may have how many bytes: small ones find as much, and take less time.
SIZES = ((0.90, 2_000), (0.97, 64_000), (0.995, 1_000_000), (1.0, 5_000_000))

ITEMS = (b"{}", b"[]", b"0", b'""', b"null", b'{"":0}', b'"\\u0000"', b"1e9", b'{"name":1}')
CHARACTERS = (
    *(b"a", b"\\u0000", b"\\u0001", b"\\ud83d\\ude00", b"\\ud800", b'\\"', b"\\\\", b"\\n"),
    *("é".encode(), "\U0001f600".encode(), b"\x01", b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80"),
)
NUMBERS = (
    *(b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"1e-400", b"-0", b"0.1", b"1.0"),
    *(b"9" * 20, b"-" + b"9" * 400, b"9" * 5_000, b"0x10", b"01", b"1e9999999999"),
)
WRONG = (b"null", b"true", b"[]", b"{}", b'""', b"-1", b"0", b"[[]]", b'{"":{}}', b"1.5", b'" "')
KEYS = ("", " ", "\x00", "\U0001f600", "__proto__", "k" * 300, "id", "data", "details", "lines")

_HERE = "\x7fhere\x7f"
_MARK = json.dumps(_HERE).encode()


def size(chance: Random) -> int:
    """Log-uniform within its class."""
    share = chance.random()
    most = next(most for below, most in SIZES if share <= below)
    return int(most ** chance.random())


def mutated(document: Any, chance: Random) -> bytes:
    """The document with one to three changes, the last of them of its text."""
    text = json.dumps(document, separators=(",", ":")).encode()
    if chance.random() < 0.15:
        return text
    for change in chance.choices(INSIDE, k=chance.randint(1, 2)):
        text = _replaced(document, change(chance), chance)
    return chance.choice(WHOLE)(text, chance) if chance.random() < 0.35 else text


def _replaced(document: Any, by: bytes, chance: Random) -> bytes:
    """The text with some value of the document, or a new one, replaced."""
    changed = deepcopy(document)
    place, last = changed, None
    while isinstance(place, dict | list) and place and (last is None or chance.random() < 0.8):
        keys = list(place) if isinstance(place, dict) else range(len(place))
        last = (place, chance.choice(keys))
        place = last[0][last[1]]
    if last is None:
        return by
    inside, key = last
    if isinstance(inside, dict) and chance.random() < 0.25:
        key = chance.choice(KEYS)
    inside[key] = _HERE
    return json.dumps(changed, separators=(",", ":")).encode().replace(_MARK, by, 1)


def _deep(chance: Random) -> bytes:
    depth = size(chance)
    opening, closing = chance.choice(((b"[", b"]"), (b'{"":', b"}"), (b'[{"a":', b"}]")))
    return opening * depth + b"0" + closing * (depth if chance.random() < 0.7 else depth // 2)


def _long(chance: Random) -> bytes:
    item = chance.choice(ITEMS)
    return b"[" + b",".join([item] * (size(chance) // (len(item) + 1))) + b"]"


def _wide(chance: Random) -> bytes:
    same = chance.random() < 0.3
    names = (b'"%s%d":0' % (b"k", 0 if same else n) for n in range(size(chance) // 8))
    return b"{" + b",".join(names) + b"}"


def _string(chance: Random) -> bytes:
    character = chance.choice(CHARACTERS)
    return b'"' + character * (size(chance) // len(character)) + b'"'


def _number(chance: Random) -> bytes:
    return chance.choice(NUMBERS)


def _wrong(chance: Random) -> bytes:
    return chance.choice(WRONG)


def _truncated(text: bytes, chance: Random) -> bytes:
    return text[: chance.randrange(len(text) + 1)]


def _damaged(text: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice((b"\xff", b"\x00", b"{", b"]", b'"', b"\\", b",")) + text[at:]


def _padded(text: bytes, chance: Random) -> bytes:
    return chance.choice((b" ", b"\n", b"\xef\xbb\xbf")) * size(chance) + text


def _repeated(text: bytes, chance: Random) -> bytes:
    """Each key of the document twice."""
    return text[:-1] + b"," + text[1:] if text[:1] == b"{" else text + text


def _noise(_: bytes, chance: Random) -> bytes:
    return chance.randbytes(size(chance))


def _in_utf_16(text: bytes, _: Random) -> bytes:
    return text.decode(errors="replace").encode("utf-16")


INSIDE: tuple[Callable[[Random], bytes], ...] = (_deep, _long, _wide, _string, _number, _wrong)
WHOLE = (_truncated, _damaged, _padded, _repeated, _noise, _in_utf_16)
